"""Ways to do the same work, measured in turns, so that a busy machine is busy for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from bench.results import Spread


@dataclass
class Way:
    """One way to work off some batches: a row of a table; ``run`` answers a batch."""

    name: str
    run: Callable[[Sequence[Any]], Sequence[Any]]
    batches: Sequence[Sequence[Any]]
    answers: list[Any] = field(default_factory=list)  # of the first round
    times_s: list[float] = field(default_factory=list)  # of each round

    @property
    def count(self) -> int:
        return sum(map(len, self.batches))

    @property
    def ms_an_item(self) -> Spread:
        return Spread.of([1000 * seconds / self.count for seconds in self.times_s])

    @property
    def items_a_s(self) -> Spread:
        return Spread.of([self.count / seconds for seconds in self.times_s])

    def speed(self, reference: Way) -> Spread:
        """Tell how many times as fast as the reference it is, round by round."""
        return Spread.of_ratios(
            [self.count / seconds for seconds in self.times_s],
            [reference.count / seconds for seconds in reference.times_s],
        )


def cut(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[first : first + size] for first in range(0, len(items), size)]


def in_turns(ways: Sequence[Way], rounds: int, *, warm_up: bool = False) -> Sequence[Way]:
    """Run batch after batch of all ways. A warm-up is a first round that is not counted."""
    for number in range(-warm_up, rounds):
        took_s = [0.0] * len(ways)
        for batches in zip_longest(*(way.batches for way in ways)):
            for place, (way, batch) in enumerate(zip(ways, batches, strict=True)):
                if batch is None:
                    continue
                started_s = time.perf_counter()
                answers = way.run(batch)
                took_s[place] += time.perf_counter() - started_s
                if not way.times_s and number == 0:
                    way.answers.extend(answers)
        if number >= 0:
            for way, seconds in zip(ways, took_s, strict=True):
                way.times_s.append(seconds)
    return ways
