"""Every model at its published size on a GPU, and the graph of them; one script, no network."""
