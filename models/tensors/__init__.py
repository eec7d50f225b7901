"""Anybody's network, which is no speech: served by its own tensors."""
