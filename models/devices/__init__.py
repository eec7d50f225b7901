"""Devices, threads and precision of models."""
