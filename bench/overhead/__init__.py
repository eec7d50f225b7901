"""The cost of serving: Dragoman beside what a user would pick instead, in one run."""
