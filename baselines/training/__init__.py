"""Training of networks: what every torch baseline shares."""
