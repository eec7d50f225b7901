"""Send a batch to another process: the arrays of its rows as one array, with lengths.

On one machine the array lies in memory that both processes share; else it is pickled.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from deployments.serve import tensor_columns
from deployments.serve.shared_memory import Address, Blocks, Opened
from deployments.serve.tensor_columns import TENSORS_FIELD
from deployments.telemetry.log import logger
from models.types import AsrItem, SpeakerItem, VadItem, Voiceprint

T = TypeVar("T")
TRIED_AGAIN = 1000  # batches until sharing is tried again, after a replica could not open a block

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
    """Times of a batch in a replica."""

    received_at: float  # Unix time, by the replica's clock
    waited_s: float  # behind the batch before
    execution_s: float  # that the model ran
    memory_bound: float | None = None  # the largest cost of a batch that fits there


class Columns(NamedTuple):
    """The rows of a batch, field by field."""

    row_type: type[Any]
    arrays: list[NDArray[Any]]  # of ``ARRAY_FIELD``, all of one dtype; or bytes of tensors
    others: list[tuple[Any, ...]]  # of each row, in the order of ``OTHER_FIELDS``; or its tensors

    @property
    def lengths(self) -> list[int]:
        return [len(array) for array in self.arrays]


def columns(rows: Sequence[Any]) -> Columns | None:
    """Split rows by field; None if they are not all of one type with arrays [n] of one dtype.

    Rows of named tensors are split into the bytes of these, if there are any.
    """
    row_type: type[Any] | None = type(rows[0]) if rows else None
    if row_type not in ARRAY_FIELD:
        return _of_tensors(row_type, rows) if row_type in TENSORS_FIELD else None
    if any(type(row) is not row_type for row in rows):
        return None
    arrays = [getattr(row, ARRAY_FIELD[row_type]) for row in rows]
    if len({array.dtype for array in arrays}) != 1 or any(array.ndim != 1 for array in arrays):
        return None
    names = OTHER_FIELDS[row_type]
    return Columns(row_type, arrays, [tuple(getattr(row, n) for n in names) for row in rows])


def _of_tensors(row_type: type[Any], rows: Sequence[Any]) -> Columns | None:
    if any(type(row) is not row_type for row in rows):  # an error among results
        return None
    pieces, described = tensor_columns.split(rows, TENSORS_FIELD[row_type])
    return Columns(row_type, pieces, described) if any(map(len, pieces)) else None


def rows_of(
    row_type: type[Any],
    array: NDArray[Any],
    lengths: Sequence[int],
    others: Sequence[tuple[Any, ...]],
) -> list[Any]:
    """Build rows, each with its piece of ``array``, or its pieces where it has several tensors."""
    if row_type in TENSORS_FIELD:
        return tensor_columns.joined(row_type, array, lengths, others)
    names, array_field = OTHER_FIELDS[row_type], ARRAY_FIELD[row_type]
    rows, start = [], 0
    for length, values in zip(lengths, others, strict=True):
        piece, start = array[start : start + length], start + length
        rows.append(row_type(**dict(zip(names, values, strict=True)), **{array_field: piece}))
    return rows


class Packed(Sequence[T], Generic[T]):
    """A sequence of items or results that pickles as one array plus lengths.

    Rows that have no ``columns`` are pickled as they are. A list costs an object for each row's
    array instead.
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
        if (found := columns(self.rows)) is None:
            return Packed, (list(self.rows), self.ran)
        array = np.concatenate(found.arrays)
        return _unpack, (found.row_type, array, found.lengths, found.others, self.ran)


def _unpack(
    row_type: type[Any],
    array: NDArray[Any],
    lengths: list[int],
    others: list[tuple[Any, ...]],
    ran: Ran | None,
) -> Packed[Any]:
    return Packed(rows_of(row_type, array, lengths, others), ran)


class Lent(NamedTuple):
    """A batch whose one array lies in a block of the sender's."""

    address: Address
    row_type: type[Any]
    dtype: str
    lengths: list[int]
    others: list[tuple[Any, ...]]

    def rows(self, opened: Opened) -> list[Any] | None:
        """Return the rows, whose arrays are views of the block for as long as the batch runs.

        None, if the block cannot be opened.
        """
        content = opened.content(self.address)
        if content is None:
            return None
        array = np.frombuffer(content, self.dtype, sum(self.lengths))
        return rows_of(self.row_type, array, self.lengths, self.others)


class Carrier:
    """Send batches to a model's replicas.

    Args:
        call: sends a batch to one replica; None: it could not open the sender's memory.
        blocks: the memory to share; None: every batch is pickled.
    """

    def __init__(
        self,
        call: Callable[[Lent | Packed[Any]], Awaitable[Packed[Any] | None]],
        blocks: Blocks | None,
    ) -> None:
        self._call = call
        self._blocks = blocks
        self._without = 0  # batches that go with the calls, until a block is tried again

    async def send(self, rows: Sequence[Any]) -> Packed[Any]:
        """Run one batch and return its results. Raises what the call raises."""
        if self._without:
            self._without -= 1
        elif self._blocks is not None and (found := columns(rows)) is not None:
            with _written(found, self._blocks) as lent:
                answer = None if lent is None else await self._call(lent)
            if answer is not None:
                return answer
            if lent is not None:
                logger.warning("a replica cannot open this process's memory: is it elsewhere?")
                self._without = TRIED_AGAIN
        answer = await self._call(Packed(rows))
        assert answer is not None, "there is nothing to open"
        return answer


@contextlib.contextmanager
def _written(found: Columns, blocks: Blocks) -> Iterator[Lent | None]:
    """Write a batch into a block for the length of its call; see ``Blocks.lent``."""
    dtype, lengths = found.arrays[0].dtype, found.lengths
    total = sum(lengths)
    with blocks.lent(total * dtype.itemsize) as block:
        if block is None:
            yield None
            return
        np.concatenate(found.arrays, out=np.frombuffer(block.content, dtype, total))
        yield Lent(block.address, found.row_type, dtype.str, lengths, found.others)
