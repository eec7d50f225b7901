"""One request that a fake answers so that the answer can be told from any other."""

from __future__ import annotations

import numpy as np

CLIP_SAMPLES = 16_000
HEADERS = {"content-type": "audio/pcm; rate=16000", "accept": "application/octet-stream"}
PATH = "/v1/audio/embeddings"


def clip(number: int) -> bytes:
    """A second of speech that the fake speaker answers with a one at ``number``."""
    samples = np.zeros(CLIP_SAMPLES, np.int16)
    samples[0] = number
    return samples.tobytes()
