"""Translation runtimes: one file an engine."""
