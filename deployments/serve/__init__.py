"""Run on Ray Serve: deployments, replicas, the transport of batches, the launcher."""
