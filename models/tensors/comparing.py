"""Tell how far two answers of one row are apart: alone and beside others they must be the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Shares of an output's largest value. Sums in another order differ by less than CLOSE. What
# quantises a batch as a whole differs by more, and still by less than APART.
CLOSE, APART = 1e-3, 0.05
HALF_CLOSE = 1e-2  # CLOSE of FP16 and BF16
_TINY = 1e-6


def distance(
    one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]
) -> dict[str, float]:
    """Return of each output by how much of its largest value two answers differ.

    Infinite where the shapes, whole numbers or strings differ, or one is a number and the other
    none.
    """
    return {name: _apart(array, other[name]) for name, array in one.items()}


def _apart(one: NDArray[Any], other: NDArray[Any]) -> float:
    if one.shape != other.shape:
        return float("inf")
    if one.dtype.kind != "f":
        return 0.0 if bool((one == other).all()) else float("inf")
    a, b = one.astype(np.float64), other.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return 0.0
    if not (np.isfinite(a) | same).all() or not (np.isfinite(b) | same).all():
        return float("inf")
    largest = max(float(np.abs(a[np.isfinite(a)]).max(initial=0.0)), _TINY)
    return float(np.abs(a[~same] - b[~same]).max()) / largest


def close(datatype: str) -> float:
    """Return by how much answers of one type may differ where nothing is wrong."""
    return HALF_CLOSE if datatype in ("FP16", "BF16") else CLOSE
