"""The bound of a replica's memory is learned by halves, and tried again later."""

from __future__ import annotations

import pytest

from deployments.serve.memory_bound import HOLDS_S, MemoryBound, cost_of


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def rows(bound: MemoryBound, *lengths: float) -> list[int]:
    """The number of rows that run together."""
    return [len(part) for part in bound.parts(lengths)]


def test_without_a_failure_a_batch_runs_whole() -> None:
    assert rows(MemoryBound(), *[1.0] * 8) == [8]


@pytest.mark.parametrize(
    ("lengths", "together"),
    [
        ((1.0,) * 8, [4, 4]),
        ((1.0,) * 4, [4]),
        ((2.0, 1.0, 1.0, 2.0), [2, 2]),
        ((9.0, 1.0), [1, 1]),
        ((0.0,) * 8, [4, 4]),
    ],
    ids=["as large again", "half", "padded to the longest", "one too long alone", "no lengths"],
)
def test_no_later_batch_is_larger_than_half_of_one_that_failed(
    lengths: tuple[float, ...], together: list[int]
) -> None:
    bound = MemoryBound()
    bound.exceeded(8.0)
    assert rows(bound, *lengths) == together


def test_every_row_runs_once() -> None:
    bound = MemoryBound()
    bound.exceeded(8.0)
    parts = bound.parts([3.0, 1.0, 2.0, 1.0, 3.0])
    assert sorted(index for part in parts for index in part) == [0, 1, 2, 3, 4]


def test_a_failure_below_the_bound_lowers_it_and_a_later_one_above_does_not_raise_it() -> None:
    bound = MemoryBound()
    for cost in (16.0, 8.0, 12.0):
        bound.exceeded(cost)
    assert bound.cost == 4.0


def test_a_bound_that_held_for_long_is_doubled_until_it_bounds_nothing() -> None:
    clock = Clock()
    bound = MemoryBound(clock)
    rows(bound, *[1.0] * 8)
    bound.exceeded(8.0)
    bound.exceeded(4.0)
    seen = []
    for _ in range(3):
        clock.now_s += HOLDS_S
        rows(bound, 1.0)
        seen.append(bound.cost)
    assert seen == [4.0, None, None]


def test_a_bound_holds_until_its_time_is_over() -> None:
    clock = Clock()
    bound = MemoryBound(clock)
    bound.exceeded(8.0)
    clock.now_s += HOLDS_S - 1
    assert rows(bound, *[1.0] * 8) == [4, 4]


def test_the_cost_is_that_of_the_padded_batch() -> None:
    assert cost_of([1.0, 3.0, 2.0]) == 9.0
