"""Finds the batch sizes, delays, replicas and threads that serve most within an objective."""
