"""Batches of several ingresses run as one at the replica, if they fit; each has its own answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from deployments.serve.gathering import Answer, Bounds, Gathering
from models.types import TensorsItem
from tests.support.clock import settle

ROOMY = Bounds(max_rows=8, max_cost=None, max_padding=0.5)


@dataclass(frozen=True)
class Item:
    name: str
    length: float = 1.0


class Model:
    """Answers with the items, once it may; remembers what ran together."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self.gathering = Gathering(self.run, thread)
        self.may_run = threading.Event()
        self.batches: list[str] = []

    def run(self, items: Sequence[Item]) -> tuple[list[Any], float]:
        self.may_run.wait()
        self.batches.append("".join(item.name for item in items))
        if "x" in self.batches[-1]:
            raise ValueError("x")
        return [item.name for item in items], 0.5

    async def has_begun(self) -> None:
        """Return once the model has the first batch."""
        await asyncio.to_thread(lambda: None)
        while self.gathering._waiting:
            await asyncio.sleep(0)

    async def after_one(self, *batches: tuple[str, Bounds | None, float]) -> list[Any]:
        """Answers to batches that came while another one ran."""
        sent = [asyncio.create_task(self.gathering.run([Item("-")], ROOMY))]
        await self.has_begun()
        for names, bounds, length in batches:
            items = [Item(name, length) for name in names]
            sent.append(asyncio.create_task(self.gathering.run(items, bounds)))
        await settle()
        self.may_run.set()
        return (await asyncio.gather(*sent, return_exceptions=True))[1:]


@pytest.fixture
def model() -> Iterator[Model]:
    with ThreadPoolExecutor(1) as thread:
        yield Model(thread)


TOGETHER = {
    "what waits": ([("ab", ROOMY, 1.0), ("c", ROOMY, 1.0)], ["abc"]),
    "whole batches first, then a part of one": (
        [("abcd", ROOMY, 1.0), ("efghi", ROOMY, 1.0), ("j", ROOMY, 1.0)],
        ["abcdjefg", "hi"],
    ),
    "the rest leads the next batch": (
        [("abcdef", ROOMY, 1.0), ("ghijkl", ROOMY, 1.0), ("mnop", ROOMY, 1.0)],
        ["abcdefgh", "ijklmnop"],
    ),
    "within the rows, of three": (
        [("abc", ROOMY, 1.0), ("defgh", ROOMY, 1.0), ("ijklmnop", ROOMY, 1.0), ("q", ROOMY, 1.0)],
        ["abcdefgh", "ijklmnop", "q"],
    ),
    "a part within the cost": ([("a", Bounds(8, 4.0, 0.9), 2.0), ("bc", ROOMY, 2.0)], ["ab", "c"]),
    "no part of one behind another that was passed over": (
        [("abc", ROOMY, 1.0), ("de", ROOMY, 9.0), ("fghijk", ROOMY, 1.0), ("l", ROOMY, 1.0)],
        ["abcl", "defg", "hijk"],
    ),
    "no part of one behind another that runs alone": (
        [("abcdef", ROOMY, 1.0), ("g", None, 1.0), ("hij", ROOMY, 1.0)],
        ["abcdef", "g", "hij"],
    ),
    "within the cost": ([("a", Bounds(8, 3.0, 0.9), 2.0), ("b", ROOMY, 2.0)], ["a", "b"]),
    "within the padding": (
        [("a", ROOMY, 1.0), ("b", ROOMY, 9.0)],
        [
            "ab",
        ],
    ),
    "not within the padding": ([("ab", ROOMY, 1.0), ("c", ROOMY, 9.0)], ["ab", "c"]),
    "not with one that runs alone": (
        [("a", ROOMY, 1.0), ("b", None, 1.0), ("c", ROOMY, 1.0)],
        ["ac", "b"],
    ),
    "one that runs alone": ([("a", None, 1.0), ("b", ROOMY, 1.0)], ["a", "b"]),
    "items without a length": ([("a", ROOMY, 0.0), ("b", ROOMY, 0.0)], ["ab"]),
}


@pytest.mark.parametrize(("batches", "ran"), TOGETHER.values(), ids=TOGETHER)
async def test_what_fits_runs_together(
    model: Model, batches: list[tuple[str, Bounds | None, float]], ran: list[str]
) -> None:
    answers: list[Answer] = await model.after_one(*batches)
    assert model.batches == ["-", *ran]
    assert ["".join(answer.results) for answer in answers] == [names for names, *_ in batches]


@dataclass(frozen=True)
class Shaped(TensorsItem):
    """Tensors of one length, whatever their shape."""

    name: str = ""


async def test_tensors_of_several_shapes_do_not_run_together(model: Model) -> None:
    def rows(name: str, *shape: int) -> list[Any]:
        return [Shaped({"x": np.zeros(shape)}, name)]

    sent = [asyncio.create_task(model.gathering.run([Item("-")], ROOMY))]
    await model.has_begun()
    for name, shape in {"a": (2, 8), "b": (4, 4), "c": (2, 8)}.items():
        sent.append(asyncio.create_task(model.gathering.run(rows(name, *shape), ROOMY)))
    await settle()
    model.may_run.set()
    await asyncio.gather(*sent)
    assert model.batches == ["-", "ac", "b"]


async def test_each_is_told_what_ran(model: Model) -> None:
    answers: list[Answer] = await model.after_one(("ab", ROOMY, 1.0), ("c", ROOMY, 1.5))
    assert [(answer.ran, answer.longest, answer.execution_s) for answer in answers] == [
        (3, 1.5, 0.5)
    ] * 2


async def test_a_batch_in_two_parts_is_told_of_the_last(model: Model) -> None:
    answers: list[Answer] = await model.after_one(("abcdef", ROOMY, 1.0), ("ghi", ROOMY, 1.0))
    assert [answer.ran for answer in answers] == [8, 1]


async def test_a_failure_is_of_all_that_ran_together_and_of_no_other(model: Model) -> None:
    answers = await model.after_one(("ax", ROOMY, 1.0), ("b", ROOMY, 1.0), ("c", None, 1.0))
    assert [type(answer) for answer in answers] == [ValueError, ValueError, Answer]


async def test_a_batch_that_ran_in_part_fails_once_and_its_rest_does_not_run(model: Model) -> None:
    answers = await model.after_one(("abcdex", ROOMY, 1.0), ("fghij", ROOMY, 1.0))
    assert [type(answer) for answer in answers] == [ValueError, ValueError]
    assert model.batches == ["-", "abcdexfg"]


async def test_a_batch_that_nobody_waits_for_does_not_run(model: Model) -> None:
    first = asyncio.create_task(model.gathering.run([Item("-")], ROOMY))
    await settle()
    gone = asyncio.create_task(model.gathering.run([Item("g")], ROOMY))
    await settle()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    last = asyncio.create_task(model.gathering.run([Item("l")], ROOMY))
    await settle()
    model.may_run.set()
    await asyncio.gather(first, last)
    assert model.batches in (["-", "l"], ["-l"])
