"""The Ray Serve application: batching, the graph, HTTP."""
