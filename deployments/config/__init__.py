"""The configuration: what ``serve_config.yaml`` may say, and the environment that Ray needs."""
