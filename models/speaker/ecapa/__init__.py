"""Speaker embeddings with ECAPA-TDNN."""
