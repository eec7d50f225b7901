"""Answers in the order in which items left, where that is asked for."""

from __future__ import annotations

import asyncio
from typing import Any

from deployments.batching.delivery import Answers
from deployments.batching.queue import Outcome, Ticket
from models.errors import InternalError
from tests.support.clock import settle
from tests.unit.batching.bench import Bench, Piece, bench, finish_all


async def ordered() -> Bench:
    """Two replicas: the first still runs, the second has answered."""
    b = bench(replicas=2, max_batch_size=1, max_queue_delay_ms=0, preserve_ordering=True)
    await b.arrive("first", deadline=5.0)
    await b.arrive("second")
    await b.model.finish(1)
    assert not b.callers["second"].done()
    return b


async def test_who_has_left_holds_up_nobody_s_answer() -> None:
    b = await ordered()
    b.callers["first"].cancel()
    await settle()
    assert await b.result("second") == "second"


async def test_a_deadline_that_passed_holds_up_nobody_s_answer() -> None:
    b = await ordered()
    await b.clock.advance(5.0)
    assert await b.result("second") == "second"
    await finish_all(b)


async def test_an_answer_that_waits_for_its_turn_stays_as_it_is() -> None:
    answers: Answers[Piece, str] = Answers()
    first, second = (waiting(number) for number in range(2))
    answers.line_up([first, second])
    answers.give(second, Outcome("its own"))
    answers.give(second, InternalError("the batch was cut off"))
    assert not second.future.done()
    answers.give(first, Outcome("before it"))
    assert (await second.future).result == "its own"


def waiting(number: int) -> Ticket[Piece, str]:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    return Ticket(Piece(str(number)), number, 1.0, 1, 0.0, future, group=number)
