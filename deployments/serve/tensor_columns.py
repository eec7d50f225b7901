"""Split rows of named tensors into flat bytes and what describes them, and join them again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.types import TensorsItem, TensorsResult

# The field of each row type that holds its tensors by name.
TENSORS_FIELD: dict[type[Any], str] = {TensorsItem: "inputs", TensorsResult: "outputs"}


class Described(NamedTuple):
    """One tensor of a row; ``strings`` are its values where they have no bytes of a fixed size."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    strings: list[bytes] | None = None


def split(rows: Iterable[Any], field: str) -> tuple[list[NDArray[Any]], list[tuple[Any, ...]]]:
    """Return the bytes of all tensors, piece by piece, and for each row what describes them."""
    pieces: list[NDArray[Any]] = []
    described: list[tuple[Any, ...]] = []
    for row in rows:
        tensors: list[Described] = []
        for name, array in getattr(row, field).items():
            if array.dtype == object:
                strings = array.ravel().tolist()
                tensors.append(Described(name, "O", array.shape, strings))
            else:
                tensors.append(Described(name, array.dtype.str, array.shape))
                pieces.append(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
        described.append(tuple(tensors))
    return pieces, described


def joined(
    row_type: type[Any],
    array: NDArray[Any],
    lengths: Sequence[int],
    described: Sequence[tuple[Any, ...]],
) -> list[Any]:
    """Build rows whose tensors are views of ``array``, which need not be aligned."""
    rows, sizes, start = [], iter(lengths), 0
    for tensors in described:
        made: dict[str, NDArray[Any]] = {}
        for each in tensors:
            if each.strings is None:
                end = start + next(sizes)
                made[each.name] = np.frombuffer(array[start:end], each.dtype).reshape(each.shape)
                start = end
            else:
                made[each.name] = strings_of(each.strings, each.shape)
        rows.append(row_type(made))
    return rows


def strings_of(values: Sequence[bytes], shape: Sequence[int]) -> NDArray[Any]:
    """Make an array of objects, one a string."""
    array = np.empty(len(values), object)
    array[:] = values
    return array.reshape(shape)
