"""What the batcher estimates from batches that ran: throughput, batch time, returning callers."""
