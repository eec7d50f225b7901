"""Speech synthesis with Piper voices."""
