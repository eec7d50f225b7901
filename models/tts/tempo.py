"""Changes the speed of speech at its own pitch, in the same way for every engine."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.tts.filters import filtered

# FFmpeg's `atempo` (WSOLA) leaves samples out beyond twice the speed, where a chain blends them.
MAX_FACTOR = 2.0
# It loses up to a window at either end, and a sound shorter than one altogether: silence around
# the sound takes the loss.
PADDING_S = 0.2


def at_speed(samples: NDArray[np.float32], rate_hz: int, speed: float) -> NDArray[np.float32]:
    """Return float32 [n] as float32 [n / speed], rounded to a whole sample.

    The engines' own speeds are not used. A network makes whole frames of each phoneme, so that
    twice the speed becomes less, and it slurs speech that is faster than what it was trained on.
    """
    wanted = round(len(samples) / speed)
    if speed == 1 or not wanted:
        return samples[:wanted]
    before = math.ceil(PADDING_S * max(speed, 1.0) * rate_hz)
    padded = np.pad(samples, (before, 2 * before))
    chain = [("atempo", f"{factor:.9f}") for factor in factors(speed)]
    start = round(before / speed)
    return filtered(padded, rate_hz, chain).samples[start : start + wanted]


def factors(speed: float) -> list[float]:
    """Return equal factors from 1 / ``MAX_FACTOR`` to ``MAX_FACTOR`` whose product is ``speed``."""
    count = max(1, math.ceil(abs(math.log(speed, MAX_FACTOR)) - 1e-9))
    return [speed ** (1 / count)] * count
