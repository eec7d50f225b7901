"""The only room that imports Ray: deployments, replicas, the way of a batch, the launcher."""
