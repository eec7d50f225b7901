"""Sizes of the GE2E encoder, fixed by Resemblyzer's weights (``resemblyzer/hparams.py``)."""

from __future__ import annotations

from models.types import SAMPLE_RATE_HZ

EMBEDDING_SIZE = 256
HIDDEN_SIZE = 256
LAYERS = 3
MEL_CHANNELS = 40
WINDOW_SAMPLES = 400  # 25 ms at 16 kHz
HOP_SAMPLES = 160  # 10 ms
PARTIAL_FRAMES = 160  # 1.6 s

# A clip is cut into partials as ``VoiceEncoder.embed_utterance`` does by default.
PARTIALS_PER_S = 1.3  # ``rate``
STEP_FRAMES = round(SAMPLE_RATE_HZ / PARTIALS_PER_S / HOP_SAMPLES)  # 77: partials overlap by half
STEP_SAMPLES = STEP_FRAMES * HOP_SAMPLES  # 12,320
MIN_COVERAGE = 0.75  # ``min_coverage``: a last partial that the clip covers less is left out
# The 160 windows of a partial span so many samples; the first is centred on its beginning.
PARTIAL_SAMPLES = (PARTIAL_FRAMES - 1) * HOP_SAMPLES + WINDOW_SAMPLES  # 25,840
