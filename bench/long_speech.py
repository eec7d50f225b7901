"""Long recordings: English speech with pauses, again and again, as long as asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.types import SAMPLE_RATE_HZ
from tests.support.speech import clips

PAUSE_S = 0.8


def long_speech(duration_s: float) -> NDArray[np.int16]:
    """Return int16 [n] at 16 kHz."""
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ), np.int16)
    once = np.concatenate([part for clip in clips("en") for part in (clip.samples(), pause)])
    return np.resize(once, round(duration_s * SAMPLE_RATE_HZ))
