"""Report what the server does: log, traces, metrics."""
