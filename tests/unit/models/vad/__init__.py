"""Tests of models/vad."""
