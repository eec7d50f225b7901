"""Translation with the Bergamot project's students."""
