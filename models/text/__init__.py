"""Texts around their translation: cut into sentences, and what is no prose kept as it is."""
