"""Tests of models/devices."""
