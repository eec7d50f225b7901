"""Stock clients of others against a running server; each in an environment of its own."""
