"""Translation with M2M100."""
