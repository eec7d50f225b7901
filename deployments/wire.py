"""How a batch crosses between processes: the arrays of its rows as one array, with lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.types import AsrItem, SpeakerItem, VadItem, Voiceprint

T = TypeVar("T")

# The field of each row type that holds its one large array.
ARRAY_FIELD: dict[type[Any], str] = {
    AsrItem: "samples",
    SpeakerItem: "samples",
    VadItem: "samples",
    Voiceprint: "embedding",
}
OTHER_FIELDS = {
    row_type: tuple(f.name for f in fields(row_type) if f.name != array_field)
    for row_type, array_field in ARRAY_FIELD.items()
}


class Ran(NamedTuple):
    """When a replica had a batch, and for how long."""

    received_at: float  # Unix time, by the replica's clock
    waited_s: float  # behind the batch before
    execution_s: float  # that the model ran


class Packed(Sequence[T], Generic[T]):
    """A sequence of items or results that pickles as one array plus lengths.

    Rows of one type in ``ARRAY_FIELD`` whose arrays share a dtype are packed; any other
    sequence is pickled as it is. A list costs an object for each row's array instead, and
    Ray copies and registers each one.
    """

    __slots__ = ("ran", "rows")

    def __init__(self, rows: Sequence[T], ran: Ran | None = None) -> None:
        self.rows = rows
        self.ran = ran  # where these are results

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __reduce__(self) -> tuple[Any, ...]:
        row_type: type[Any] | None = type(self.rows[0]) if self.rows else None
        if row_type not in ARRAY_FIELD or any(type(row) is not row_type for row in self.rows):
            return Packed, (list(self.rows), self.ran)
        arrays = [getattr(row, ARRAY_FIELD[row_type]) for row in self.rows]
        if len({array.dtype for array in arrays}) != 1:
            return Packed, (list(self.rows), self.ran)
        names = OTHER_FIELDS[row_type]
        others = [tuple(getattr(row, name) for name in names) for row in self.rows]
        lengths = [len(array) for array in arrays]
        return _unpack, (row_type, np.concatenate(arrays), lengths, others, self.ran)


def _unpack(
    row_type: type[Any],
    array: NDArray[Any],
    lengths: list[int],
    others: list[tuple[Any, ...]],
    ran: Ran | None,
) -> Packed[Any]:
    names, array_field = OTHER_FIELDS[row_type], ARRAY_FIELD[row_type]
    pieces = np.split(array, np.cumsum(lengths)[:-1])
    rows = [
        row_type(**{array_field: piece}, **dict(zip(names, values, strict=True)))
        for piece, values in zip(pieces, others, strict=True)
    ]
    return Packed(rows, ran)
