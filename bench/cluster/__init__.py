"""What more nodes give, with models that only sleep, on one machine."""
