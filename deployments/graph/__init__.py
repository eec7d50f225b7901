"""The speech-translation graph: from a caller's request to items for the models and back."""
