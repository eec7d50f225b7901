"""Tests of the room of jobs."""
