"""Tests of models/asr."""
