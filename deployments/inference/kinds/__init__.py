"""The names of ``/v2/models``: one file for each kind of model, and one for the whole graph."""
