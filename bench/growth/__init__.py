"""The growth of cost: with the offered load, models and replicas, and the length of audio."""
