"""Servers on this machine that real clients talk to."""
