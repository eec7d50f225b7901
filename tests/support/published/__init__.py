"""Random checkpoints in the published file layouts, small enough to build in a test."""
