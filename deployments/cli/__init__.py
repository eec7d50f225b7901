"""Offer the server's commands of ``dragoman``."""
