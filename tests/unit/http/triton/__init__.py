"""Tests of http/triton."""
