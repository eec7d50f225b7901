"""What callers leave at the server: kept in a folder, each caller's apart from all others'."""
