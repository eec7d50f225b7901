"""Speech synthesis runtimes: one file an engine."""
