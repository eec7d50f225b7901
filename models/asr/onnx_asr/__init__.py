"""Recognisers through the library onnx-asr: Parakeet, Canary, Zipformer, GigaAM."""
