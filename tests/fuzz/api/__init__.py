"""The HTTP API asked by its own description, with schemathesis and all of its default checks."""
