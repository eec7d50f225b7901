"""Send a batch to another process: the arrays of its rows as one array, with lengths.

To a replica on the same node the array goes in memory that both processes share, to any other it is
pickled. Which replica that is, is known only when Serve sends the batch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields
from types import TracebackType
from typing import Any, Generic, NamedTuple, Self, TypeVar

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
    together: tuple[int, float] | None = None  # rows and cost of the last run, if others may join
    busy_s: float | None = None  # for how long the replica is from now on; None: it ran alone


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


class Outgoing:
    """A batch on its way to one replica after another, until one takes it.

    It arrives as ``Lent`` or ``Packed``: Serve pickles it whenever it tries a replica.

    Args:
        rows: of the batch.
        blocks: the memory to share; None: the batch is pickled wherever it goes.
        lose: is called when the replica that has the batch is known to be dead.
    """

    def __init__(
        self, rows: Sequence[Any], blocks: Blocks | None, lose: Callable[[], None] | None = None
    ) -> None:
        self.is_near = True  # the replica that it is sent to is on this node
        self.lent: Lent | None = None  # it was sent so, the last time
        self.rows, self._blocks, self._lose = rows, blocks, lose
        self._lending = contextlib.ExitStack()
        self._written: Lent | None = None
        self._among: set[Outgoing] | None = None

    def goes_to(self, batches: set[Outgoing], *, is_near: bool) -> None:
        """Note that it is sent to a replica, whose batches these are, and whether that is here."""
        self._leave()
        self._among, self.is_near = batches, is_near
        batches.add(self)

    def lose(self) -> None:
        """Give up the replica that has it."""
        if self._lose is not None:
            self._lose()

    def _leave(self) -> None:
        if self._among is not None:
            self._among.discard(self)
            self._among = None

    def _lend(self) -> Lent | None:
        """Write the array into a block, once; None: it has none, or there is no memory."""
        if self._written is None and self._blocks is not None:
            found, blocks, self._blocks = columns(self.rows), self._blocks, None
            if found is None:
                return None
            dtype, lengths = found.arrays[0].dtype, found.lengths
            total = sum(lengths)
            block = self._lending.enter_context(blocks.lent(total * dtype.itemsize))
            if block is not None:
                np.concatenate(found.arrays, out=np.frombuffer(block.content, dtype, total))
                others = found.others
                self._written = Lent(block.address, found.row_type, dtype.str, lengths, others)
        return self._written

    def __reduce__(self) -> tuple[Any, ...]:
        self.lent = self._lend() if self.is_near else None
        return (Lent, tuple(self.lent)) if self.lent else Packed(self.rows).__reduce__()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave()
        self._lose = None
        self._lending.__exit__(kind, error, traceback)


class Carrier:
    """Send batches to a model's replicas.

    Args:
        call: sends a batch to one replica; None: it could not open the sender's memory.
        blocks: the memory to share; None: every batch is pickled.
    """

    def __init__(
        self,
        call: Callable[[Outgoing], Awaitable[Packed[Any] | None]],
        blocks: Blocks | None,
    ) -> None:
        self._call = call
        self._blocks = blocks
        self._without = 0  # batches that are pickled, until a block is tried again

    async def send(
        self, rows: Sequence[Any], lose: Callable[[], None] | None = None
    ) -> Packed[Any]:
        """Run one batch and return its results. Raises what the call raises.

        ``lose`` is called when the replica that has the batch is known to be dead.
        """
        blocks = None if self._without else self._blocks
        self._without = max(0, self._without - 1)
        with Outgoing(rows, blocks, lose) as batch:
            answer = await self._call(batch)
            was_lent = batch.lent is not None
        if answer is None and was_lent:
            logger.warning("a replica on this node cannot open this process's memory")
            self._without = TRIED_AGAIN
            with Outgoing(rows, None, lose) as batch:
                answer = await self._call(batch)
        assert answer is not None, "there is nothing to open"
        return answer
