"""Estimates from batches that ran: throughput, batch time, returning callers."""
