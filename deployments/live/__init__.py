"""Sessions of live speech: recognised, translated and spoken while it is said."""
