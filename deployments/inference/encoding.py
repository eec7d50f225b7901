"""The bytes of a tensor as every protocol sends them: little-endian and row-major."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployments.inference.tensors import DTYPES, Tensor


def encoded(tensor: Tensor) -> bytes:
    """Return the bytes of a tensor; each string has its length before it."""
    array = tensor.array
    if tensor.datatype == "BYTES":
        return b"".join(struct.pack("<I", len(value)) + value for value in array.flat)
    if tensor.datatype == "BF16":
        return _upper_halves(array).tobytes()
    return array.astype(DTYPES[tensor.datatype], copy=False).tobytes()


def _upper_halves(array: NDArray[Any]) -> NDArray[np.uint16]:
    """Make BF16 of float32, rounded to the nearest, halves to even."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    quiet = bits >> 16 | 0x40  # a NaN stays one, whatever its lower bits
    return np.where(np.isnan(array), quiet, rounded).astype("<u2")
