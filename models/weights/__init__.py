"""Finds weights, and checks that they are the pinned ones."""
