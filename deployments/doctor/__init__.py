"""Diagnose whether the GPU is used, and if not, why."""
