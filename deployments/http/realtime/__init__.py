"""OpenAI's realtime protocols, transcription and translation, over live sessions."""
