"""When a batch leaves a replica that several ingresses use, and what its answers tell of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from deployments.serve.gathering import PATIENCE, Answer, Bounds, Waiting

BOUNDS = Bounds(max_rows=8, max_cost=None, max_padding=0.5, max_delay_s=0.05)
FIXED_S, ROW_S = 0.04, 0.001  # of a batch


@dataclass(frozen=True)
class Item:
    length: float = 1.0


class Model:
    """A replica whose time is moved by hand."""

    def __init__(self) -> None:
        self.waiting = Waiting()
        self.now = 0.0

    def come(
        self, *batches: int, bounds: Bounds | None = BOUNDS, held_s: Sequence[float] = ()
    ) -> list[Any]:
        """Let batches of so many rows come now; return their answers to come."""
        rows = [[Item()] * count for count in batches]
        return [self.waiting.add(each, bounds, self.now, held_s) for each in rows]

    def run(self) -> int:
        """Run what leaves, to its end; return its rows."""
        together = self.waiting.taken()
        rows = [row for part in together for row in part.rows]
        took_s, began = FIXED_S + len(rows) * ROW_S, self.now
        self.now += took_s
        self.waiting.ended(together, rows, began, took_s)
        return len(rows)

    def ran_for(self, returns_s: float) -> None:
        """Run batches whose callers come back after so long."""
        for rows in (8, 8, 7, 7, 6, 6, 5, 5, 4, 4):
            self.come(rows)
            self.run()
            self.now += returns_s


@pytest.fixture
def model() -> Model:
    return Model()


def test_a_batch_leaves_at_once_before_anything_is_known(model: Model) -> None:
    model.come(1)
    assert model.waiting.wait_s(model.now) == 0


def test_it_waits_for_callers_who_come_back_soon(model: Model) -> None:
    model.ran_for(0.01)
    model.come(4)
    model.run()
    model.come(1)
    assert model.waiting.wait_s(model.now) == pytest.approx(0.0125 + PATIENCE * 0.01)


def test_it_leaves_once_they_are_here(model: Model) -> None:
    model.ran_for(0.01)
    model.come(4)
    model.run()
    model.come(1, 3)
    assert model.waiting.wait_s(model.now) == 0


@pytest.mark.parametrize(
    ("returns_s", "bounds"),
    [
        pytest.param(0.035, BOUNDS, id="a batch of their own costs them less"),
        pytest.param(0.01, BOUNDS._replace(max_delay_s=0.005), id="longer than the policy lets it"),
    ],
)
def test_it_does_not_wait_where_that_does_not_pay(
    model: Model, returns_s: float, bounds: Bounds
) -> None:
    model.ran_for(returns_s)
    model.come(4)
    model.run()
    model.come(1, bounds=bounds)
    assert model.waiting.wait_s(model.now) == 0


def test_it_does_not_wait_once_it_is_full(model: Model) -> None:
    model.ran_for(0.01)
    model.come(8, 8)
    model.run()
    assert model.waiting.wait_s(model.now) == 0


def test_a_batch_that_runs_alone_is_not_kept_waiting(model: Model) -> None:
    model.ran_for(0.01)
    model.come(4)
    model.run()
    model.come(1)
    model.come(1, bounds=None)
    assert model.waiting.wait_s(model.now) == 0


def test_rows_that_their_ingress_kept_back_count_from_when_they_came(model: Model) -> None:
    for rows in (8, 8, 7, 7, 6, 6, 5, 5, 4, 4):  # back after 10 ms, and kept back for 30 ms
        model.come(rows, held_s=[0.03] * rows)
        model.run()
        model.now += 0.04
    model.come(4)
    model.run()
    model.come(1)
    assert model.waiting.wait_s(model.now) == pytest.approx(0.0125 + PATIENCE * 0.01)


def answered(answers: Sequence[Any]) -> list[Answer]:
    return [each.result(0) for each in answers]


def test_answers_tell_how_long_the_next_batch_takes(model: Model) -> None:
    model.ran_for(0.01)
    first = model.come(8)
    model.come(8)
    model.run()
    (answer,) = answered(first)
    assert answer.busy_s == pytest.approx(FIXED_S + 8 * ROW_S)


def test_answers_tell_that_nothing_waits(model: Model) -> None:
    first = model.come(8)
    model.run()
    (answer,) = answered(first)
    assert answer.busy_s == 0


def test_answers_tell_nothing_of_a_batch_that_ran_alone(model: Model) -> None:
    first = model.come(8, bounds=None)
    model.run()
    (answer,) = answered(first)
    assert answer.busy_s is None
