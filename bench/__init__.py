"""Benches: each prints its figures with the command, the machine and the spread."""
