"""Name the clip of real speech that comes with the server: "Please try your call again later."."""

SAMPLE_PACKAGE, SAMPLE, SAMPLE_LANGUAGE = "load", "sample.flac", "en"
