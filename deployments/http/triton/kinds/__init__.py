"""What ``/v2`` serves: one file for each kind of model, and one for the whole graph."""
