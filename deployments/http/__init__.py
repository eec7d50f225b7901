"""HTTP: one file a protocol, over the same graph."""
