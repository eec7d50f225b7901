"""Speech synthesis with XTTS v2, also in the voice of a clip."""
