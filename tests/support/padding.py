"""A recording with silence in it, for tests and benches of what silence must not change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PLACES = ("before", "behind", "both", "middle")
# RMS of the noise in int16 steps, by name: none, and about -64 dBFS.
NOISES = {"digital": 0.0, "low noise": 20.0}


def padded(samples: NDArray[np.int16], ratio: float, place: str, noise: str) -> NDArray[np.int16]:
    """The samples with ``ratio`` times as much silence."""
    size = round(ratio * len(samples))
    level = NOISES[noise]
    silence = np.rint(np.random.default_rng(7).normal(0, level, size)).astype(np.int16)
    cut = {"before": 0, "behind": len(samples), "middle": len(samples) // 2}
    if place == "both":
        half = size // 2
        return np.concatenate([silence[:half], samples, silence[half:]])
    at = cut[place]
    return np.concatenate([samples[:at], silence, samples[at:]])
