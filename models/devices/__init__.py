"""Where a model computes: the device, its threads and its precision."""
