"""Samples as int16 and as float32: light to import, for every runtime."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.types import Samples

INT16_FULL_SCALE = np.float32(32_768)


def to_float32(samples: Samples) -> NDArray[np.float32]:
    """int16 [n] as float32 [n] of full scale 1.0; float32 as it is."""
    if samples.dtype == np.int16:  # a power of two: to multiply is as exact, and one pass
        return np.multiply(samples, 1 / INT16_FULL_SCALE, dtype=np.float32)
    return samples.astype(np.float32, copy=False)


def to_int16(samples: Samples) -> NDArray[np.int16]:
    """float32 [n] of full scale 1.0 as int16 [n], rounded and clipped; int16 as it is."""
    if samples.dtype != np.int16:
        samples = np.clip(np.rint(samples * INT16_FULL_SCALE), -32_768, 32_767)
    integers: NDArray[np.int16] = samples.astype(np.int16, copy=False)
    return integers
