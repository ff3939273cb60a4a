"""The training loop that the torch baselines share."""
