"""What is offered to the leaderboard, and how it is checked: nothing is believed that can be recomputed."""
