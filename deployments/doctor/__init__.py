"""Is the GPU used, and if not, why? Facts of the machine, checks of them, and the diagnosis."""
