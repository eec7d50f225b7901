"""Cuts a batch into forward passes: rows of about one length together, longest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

N = TypeVar("N", int, float)


def passes(lengths: Sequence[N], fits: Callable[[Sequence[N]], bool]) -> list[list[int]]:
    """Choose the rows that go through a network together; return their indices, longest first.

    Args:
        lengths: of the rows, in any unit.
        fits: whether rows of these lengths, longest first, may share a pass; a row alone always has
            one.
    """
    found: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if found and fits([lengths[i] for i in (*found[-1], index)]):
            found[-1].append(index)
        else:
            found.append([index])
    return found
