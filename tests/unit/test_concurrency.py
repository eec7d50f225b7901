"""A request's parts: bounded, ordered, and none left over."""

from __future__ import annotations

import asyncio

import pytest

from deployments.concurrency import all_of


async def test_results_keep_the_order_of_the_parts() -> None:
    gates = [asyncio.Event() for _ in range(3)]

    async def wait(number: int) -> int:
        await gates[number].wait()
        return number

    together = asyncio.create_task(all_of(map(wait, range(3))))
    for gate in reversed(gates):
        gate.set()
        await asyncio.sleep(0)
    assert await together == [0, 1, 2]


async def test_the_first_error_stops_the_others() -> None:
    stopped = asyncio.Event()

    async def fail() -> None:
        raise ValueError("first")

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    with pytest.raises(ValueError, match="first"):
        await all_of([wait(), fail()])
    assert stopped.is_set()


async def test_a_caller_that_leaves_takes_its_parts_along() -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    together = asyncio.create_task(all_of([wait(), wait()]))
    await started.wait()
    together.cancel()
    with pytest.raises(asyncio.CancelledError):
        await together
    assert stopped.is_set()
