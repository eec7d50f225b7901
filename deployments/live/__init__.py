"""Live sessions: speech is recognised, translated and spoken while it is said; no protocol, no Ray."""
