"""Where weights come from, and whether they are what they should be."""
