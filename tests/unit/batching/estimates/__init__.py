"""Unit tests of what the batcher estimates."""
