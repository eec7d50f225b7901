"""Tests of http/v1."""
