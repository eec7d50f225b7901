"""Which models there are, where they run, and who loads and unloads them."""
