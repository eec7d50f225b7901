"""How cost grows: with the offered load, with models and replicas, with the length of audio."""
