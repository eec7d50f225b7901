"""The models tests."""
