"""What the graph wastes: its utterances a second over what its slowest stage alone could do."""
