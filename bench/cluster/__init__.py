"""What more nodes and more ingresses give, with models that only sleep."""
