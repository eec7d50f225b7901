"""Translation by a language model behind any OpenAI-compatible service."""
