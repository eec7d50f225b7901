"""The model that every peer serves: it costs time and no CPU, as on a GPU."""

import time

import numpy as np

EMBEDDING_SIZE = 192


def duration_s(items: int) -> float:
    return 0.005 + 0.0002 * items


def embeddings(clips):
    """Return 192 float32 of each clip of int16 samples: one where its first sample says, else 0."""
    found = np.zeros((len(clips), EMBEDDING_SIZE), np.float32)
    for row, clip in zip(found, clips, strict=True):
        row[int(clip[0]) % EMBEDDING_SIZE] = 1
    return found


def embed(clips):
    """Run one batch on the one device."""
    time.sleep(duration_s(len(clips)))
    return embeddings(clips)
