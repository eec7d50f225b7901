"""The image: built from its Dockerfile, started read-only as its own user, and asked."""
