"""Tests of models/speaker."""
