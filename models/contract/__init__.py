"""The contract of engines: checks that any runtime can be put through."""
