"""Recognition through the whole server, beside faster-whisper on the same weights."""
