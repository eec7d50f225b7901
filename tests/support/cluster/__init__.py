"""Three nodes on this one machine, each in namespaces of its own, with a server on them."""
