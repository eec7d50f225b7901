"""Attacks and faults: what was tried on a server, what was seen, and whether it held."""
