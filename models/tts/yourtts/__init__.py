"""Speech synthesis with YourTTS, also in the voice of a clip."""
