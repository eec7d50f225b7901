"""What the server tells of itself: log, traces, metrics."""
