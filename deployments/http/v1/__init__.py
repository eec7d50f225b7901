"""``/v1``: Dragoman's own endpoints and OpenAI's audio API."""
