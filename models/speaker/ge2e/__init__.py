"""Speaker embeddings with GE2E."""
