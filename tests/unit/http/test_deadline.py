"""Who ends a request from outside, and what it then ends with."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import ClientDisconnect

from deployments.http.middleware.deadline import Ending, leave
from models.errors import Overloaded
from tests.support.clock import settle


async def waiting(ending: Ending) -> None:
    """Run until somebody ends it."""
    with ending:
        await asyncio.Event().wait()


async def test_a_request_ends_with_the_error_that_ended_it() -> None:
    ending = Ending({}, 60)
    request = asyncio.create_task(waiting(ending))
    await settle()
    ending.now(Overloaded("no room"))
    with pytest.raises(Overloaded):
        await request


async def test_a_request_has_its_time() -> None:
    with pytest.raises(TimeoutError):
        await waiting(Ending({}, 0.0))


async def test_the_first_of_two_reasons_is_told() -> None:
    ending = Ending({}, 60)
    request = asyncio.create_task(waiting(ending))
    await settle()
    ending.now(Overloaded("no room"))
    ending.now(ClientDisconnect())
    with pytest.raises(Overloaded):
        await request


@pytest.mark.parametrize("is_cancelled_first", [True, False], ids=["before", "after"])
async def test_another_s_cancel_goes_before_the_ending(is_cancelled_first: bool) -> None:
    """Whoever cancels a task waits for a cancelled one."""
    ending = Ending({}, 60)
    request = asyncio.create_task(waiting(ending))
    await settle()
    if is_cancelled_first:
        request.cancel()
    ending.now(Overloaded("no room"))
    if not is_cancelled_first:
        request.cancel()
    await asyncio.wait([request])
    assert request.cancelled()
    assert request.cancelling() == 1  # its own is taken back, the other's is not


async def test_an_ending_leaves_no_cancel_behind() -> None:
    async def ended_then_working() -> str:
        with pytest.raises(Overloaded):
            await waiting(ending)
        await asyncio.sleep(0)
        return "went on"

    ending = Ending({}, 60)
    request = asyncio.create_task(ended_then_working())
    await settle()
    ending.now(Overloaded("no room"))
    assert await request == "went on"
    assert request.cancelling() == 0


async def test_what_is_over_is_not_ended() -> None:
    state: dict[str, Ending] = {}
    with Ending({"state": state}, 60):
        pass
    leave(state)
    await asyncio.sleep(0)
