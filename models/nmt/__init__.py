"""Translation runtimes."""
