"""Tests of models/nmt."""
