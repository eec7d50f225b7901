"""Answers in the order in which items left, where that is asked for."""

from __future__ import annotations

from tests.support.clock import settle
from tests.unit.batching.bench import Bench, bench, finish_all


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
