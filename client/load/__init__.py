"""The parts of the load test: arrivals, the calls, steps, figures, and how they are shown."""
