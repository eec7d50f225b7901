"""Samples as int16 and as float32; light to import for every runtime."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.types import Samples

INT16_FULL_SCALE = np.float32(32_768)
LOUDNESS_FRAME_SAMPLES = 480  # 30 ms at 16 kHz: loudness is that of the loudest such frame
# Speech whose loudest frame is under QUIET_DBFS is made as loud as most recordings are.
# Below NOISE_DBFS there is only a converter's noise, not a distant speaker.
QUIET_DBFS, USUAL_DBFS, NOISE_DBFS = -36.0, -18.0, -75.0


def to_float32(samples: Samples) -> NDArray[np.float32]:
    """Convert int16 [n] to float32 [n] of full scale 1.0; float32 is returned as it is."""
    if samples.dtype == np.int16:  # by a power of two, which is exact, in one pass
        return np.multiply(samples, 1 / INT16_FULL_SCALE, dtype=np.float32)
    return samples.astype(np.float32, copy=False)


def to_int16(samples: Samples) -> NDArray[np.int16]:
    """Convert float32 [n] of full scale 1.0 to int16 [n], rounded and clipped; int16 stays as it
    is.
    """
    if samples.dtype != np.int16:
        samples = np.clip(np.rint(samples * INT16_FULL_SCALE), -32_768, 32_767)
    integers: NDArray[np.int16] = samples.astype(np.int16, copy=False)
    return integers


def loudness_dbfs(samples: Samples) -> float:
    """Return the RMS of the loudest 30 ms in dB of full scale; -inf for digital silence."""
    power = np.square(to_float32(samples))
    starts = np.arange(0, len(power), LOUDNESS_FRAME_SAMPLES)
    if not len(starts):
        return -np.inf
    loudest = np.add.reduceat(power, starts).max() / LOUDNESS_FRAME_SAMPLES
    return float(10 * np.log10(loudest)) if loudest > 0 else -np.inf


def levelled(samples: Samples) -> Samples:
    """Make a quiet recording as loud as most; another one is returned as it is.

    A VAD judges by the level too, and would cut the ends of quiet speech.
    """
    loudness = loudness_dbfs(samples)
    if not NOISE_DBFS <= loudness < QUIET_DBFS:
        return samples
    gain = 10 ** ((USUAL_DBFS - loudness) / 20)
    louder: Samples = np.clip(to_float32(samples) * np.float32(gain), -1.0, 1.0)
    return louder if samples.dtype != np.int16 else to_int16(louder)
