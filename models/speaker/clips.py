"""Preparation and results that speaker encoders share: checked clips of a common volume."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.audio.samples import to_float32
from models.errors import InvalidRequest
from models.runtime import ItemError
from models.types import SAMPLE_RATE_HZ, Samples, Voiceprint

TARGET_DBFS = -30.0  # quieter clips are made this loud; louder ones stay as they are


def normalise(samples: Samples, min_clip_s: float = 0.0) -> NDArray[np.float32]:
    """Return float32 samples at -30 dBFS or louder.

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
    level = math.sqrt(_power(audio))
    if level == 0:
        raise InvalidRequest("the clip is silent: all its samples are zero", param="file")
    if not math.isfinite(level):
        raise InvalidRequest("the audio holds values that are no numbers", param="file")
    gain = 10 ** (TARGET_DBFS / 20) / level
    return audio * np.float32(gain) if gain > 1 else audio


def _power(audio: NDArray[np.float32]) -> float:
    """Return the mean square: in float32, which is quicker, unless that loses it."""
    power = float(np.einsum("i,i->", audio, audio)) / len(audio)
    if power > 0 and math.isfinite(power):
        return power
    return float(np.mean(np.square(audio, dtype=np.float64)))


def voiceprint(mean: NDArray[np.float32]) -> Voiceprint | ItemError:
    """Return the mean [d] of a clip's embeddings, scaled to length 1."""
    length = float(np.linalg.norm(mean))
    if not 0 < length < math.inf:  # the network overflowed: samples far out of range
        return ItemError(InvalidRequest("the audio's values are out of range", param="file"))
    return Voiceprint(mean / np.float32(length))
