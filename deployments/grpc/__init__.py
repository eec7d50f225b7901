"""KServe's v2 inference service with Triton's extensions, over gRPC."""
