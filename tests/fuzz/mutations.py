"""How good input is spoilt: bytes of any format, and values of any shape."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

MOST_CHANGES = 4
HEAD_BYTES = 256  # where formats keep what they promise
LONGEST_PIECE = 64
EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)


@st.composite
def spoilt(draw: st.DrawFn, good: Sequence[bytes]) -> bytes:
    """One of some files, changed in a few places or not at all."""
    data = bytearray(draw(st.sampled_from(good)))
    for change in draw(st.lists(st.sampled_from(CHANGES), max_size=MOST_CHANGES)):
        change(draw, data, good)
    return bytes(data)


def _place(draw: st.DrawFn, data: bytearray) -> int:
    """Anywhere, but in every second case near the beginning."""
    head = st.integers(0, min(len(data), HEAD_BYTES))
    return draw(st.one_of(head, st.integers(0, len(data))))


def _flip(draw: st.DrawFn, data: bytearray, _: Sequence[bytes]) -> None:
    at = _place(draw, data)
    if at < len(data):
        data[at] ^= 1 << draw(st.integers(0, 7))


def _number(draw: st.DrawFn, data: bytearray, _: Sequence[bytes]) -> None:
    at, size = _place(draw, data), draw(st.sampled_from((1, 2, 4, 8)))
    value = draw(st.one_of(st.sampled_from(EXTREMES), st.integers(0, len(data))))
    order = draw(st.sampled_from(("little", "big")))
    data[at : at + size] = (value % 256**size).to_bytes(size, order)


def _cut(draw: st.DrawFn, data: bytearray, _: Sequence[bytes]) -> None:
    del data[_place(draw, data) :]


def _leave_out(draw: st.DrawFn, data: bytearray, _: Sequence[bytes]) -> None:
    at = _place(draw, data)
    del data[at : at + draw(st.integers(1, LONGEST_PIECE))]


def _insert(draw: st.DrawFn, data: bytearray, _: Sequence[bytes]) -> None:
    at = _place(draw, data)
    data[at:at] = draw(st.binary(max_size=LONGEST_PIECE))


def _repeat(draw: st.DrawFn, data: bytearray, _: Sequence[bytes]) -> None:
    at, to = _place(draw, data), _place(draw, data)
    data[to:to] = data[at : at + draw(st.integers(1, LONGEST_PIECE))]


def _join(draw: st.DrawFn, data: bytearray, good: Sequence[bytes]) -> None:
    other = draw(st.sampled_from(good))
    data[_place(draw, data) :] = other[draw(st.integers(0, len(other))) :]


Change = Callable[[st.DrawFn, bytearray, Sequence[bytes]], None]
CHANGES: tuple[Change, ...] = (_flip, _number, _cut, _leave_out, _insert, _repeat, _join)

# ---- values ------------------------------------------------------------------------------

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from((0, -1, 1, 10**30)),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(("", "en", "pt", "auto", "\0", "\ud800", "x" * 300, "1", "nan", "../..")),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def rearranged(draw: st.DrawFn, good: Sequence[Any]) -> Any:
    """One of some documents, with values replaced, left out or added."""
    root = [copy.deepcopy(draw(st.sampled_from(good)))]
    for _ in range(draw(st.integers(0, MOST_CHANGES))):
        holder, key = draw(st.sampled_from(list(_places(root))))
        change = draw(st.sampled_from(("replace", "replace", "leave out", "add")))
        if change == "replace" or holder is root:
            holder[key] = draw(VALUES)
        elif change == "leave out":
            del holder[key]
        elif isinstance(holder, dict):
            holder[draw(st.text(max_size=8))] = draw(VALUES)
        else:
            holder.insert(key, draw(VALUES))
    return root[0]


def _places(root: Any) -> Iterator[tuple[Any, Any]]:
    """Every value's container and key in it."""
    keys = list(root) if isinstance(root, dict) else range(len(root))
    for key in keys:
        yield root, key
        if isinstance(root[key], dict | list):
            yield from _places(root[key])
