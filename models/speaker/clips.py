"""Clips as speaker encoders hear them: checked, and of a common volume."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.errors import InvalidRequest
from models.samples import to_float32
from models.types import SAMPLE_RATE_HZ, Samples

TARGET_DBFS = -30.0  # quieter clips are made this loud; louder ones stay as they are


def normalise(samples: Samples, min_clip_s: float = 0.0) -> NDArray[np.float32]:
    """float32 samples at -30 dBFS or louder.

    Raises:
        InvalidRequest: the clip is shorter than ``min_clip_s``, all zero or not finite.
    """
    duration_s = len(samples) / SAMPLE_RATE_HZ
    if len(samples) == 0 or duration_s < min_clip_s:
        raise InvalidRequest(
            f"the clip has {duration_s:.3g} s; a speaker embedding needs {min_clip_s:g} s",
            param="file",
        )
    audio = to_float32(samples)
    level = math.sqrt(np.mean(np.square(audio, dtype=np.float64)))
    if level == 0:
        raise InvalidRequest("the clip is silent: all its samples are zero", param="file")
    if not math.isfinite(level):
        raise InvalidRequest("the audio holds values that are no numbers", param="file")
    gain = 10 ** (TARGET_DBFS / 20) / level
    return audio * np.float32(gain) if gain > 1 else audio
