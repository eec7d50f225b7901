"""Tests of models/tts."""
