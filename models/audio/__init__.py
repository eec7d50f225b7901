"""Audio files and samples: read, resampled, cut, written, and subtitled."""
