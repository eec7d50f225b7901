"""Ways that are measured in turns: their order, what is counted, and their ratios."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from bench.turns import Way, cut, in_turns


def recording(name: str, ran: list[str]) -> Callable[[Sequence[int]], list[int]]:
    def run(batch: Sequence[int]) -> list[int]:
        ran.append(name)
        return [10 * item for item in batch]

    return run


def test_ways_take_turns_batch_by_batch() -> None:
    ran: list[str] = []
    one, other = (
        Way("1", recording("1", ran), cut([1, 2, 3, 4], 2)),
        Way("2", recording("2", ran), [[1]]),
    )

    in_turns([one, other], rounds=1)

    assert ran == ["1", "2", "1"]


@pytest.mark.parametrize(("warm_up", "runs"), [(False, 2), (True, 3)], ids=["cold", "warm"])
def test_a_warm_up_is_not_counted(warm_up: bool, runs: int) -> None:
    ran: list[str] = []
    way = Way("1", recording("1", ran), [[1, 2]])

    in_turns([way], rounds=2, warm_up=warm_up)

    assert (len(ran), len(way.times_s), way.answers) == (runs, 2, [10, 20])


def test_a_speed_is_of_items_and_of_one_round() -> None:
    slow, fast = (
        Way("slow", list, [[1]], times_s=[1.0, 2.0]),
        Way("fast", list, [[1, 2]], times_s=[1.0, 1.0]),
    )

    assert (fast.speed(slow).least, fast.speed(slow).most) == (2.0, 4.0)
    assert fast.ms_an_item.median == 500.0
