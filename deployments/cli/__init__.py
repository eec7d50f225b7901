"""The server's commands of ``dragoman``."""
