"""One table of ways to do the same work, measured in turns beside the first of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from bench.results import Cell, Table
from bench.turns import Way, in_turns

Column: TypeAlias = Callable[[Way], Cell]


def compared(
    title: str,
    ways: Sequence[Way],
    rounds: int,
    more: Mapping[str, Column] | None = None,
    *,
    warm_up: bool = True,
) -> Table:
    """Measure the ways in turns; the first one is the reference."""
    in_turns(ways, rounds, warm_up=warm_up)
    columns: dict[str, Column] = {
        "what": lambda way: way.name,
        "batch": lambda way: len(way.batches[0]),
        "items": lambda way: way.count,
        "ms an item": lambda way: way.ms_an_item.text(),
        "items/s": lambda way: way.items_a_s.median,
        "times as fast as the first": lambda way: way.speed(ways[0]).text(2),
    }
    table = Table.of(title, ways, columns | dict(more or {}))
    print(f"measured: {title}", flush=True)
    return table
