"""Speaker embedding runtimes: one file an engine."""
