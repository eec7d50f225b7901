"""Live sessions under load: how far behind they are, what they lose, and what they cost."""
