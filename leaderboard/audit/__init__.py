"""Is a task's split fair? What is alike across its splits, and how far the simplest models get."""
