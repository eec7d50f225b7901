"""Speech synthesis runtimes."""
