"""Speaker embedding runtimes."""
