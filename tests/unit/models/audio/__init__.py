"""Tests of models/audio."""
