"""What serving costs: Dragoman beside what a user would pick instead, in one run."""
