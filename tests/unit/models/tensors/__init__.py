"""Tests of models/tensors."""
