"""Admission: places, and a drain that is announced before requests are refused."""

from __future__ import annotations

import asyncio

import pytest

from deployments.http.middleware.admission import Admission, is_probe
from models.errors import Draining, Overloaded
from tests.support.clock import settle


def test_a_place_too_many_is_refused() -> None:
    admission = Admission(1)
    with admission, pytest.raises(Overloaded), admission:
        pass


def test_a_body_that_arrives_has_no_place_yet() -> None:
    admission = Admission(1)
    with admission.after_body() as take_a_place, admission:
        assert admission.why_not_ready() is not None
        with pytest.raises(Overloaded):
            take_a_place()
    with admission:
        pass


def test_a_body_is_not_waited_for_where_no_place_is_free() -> None:
    admission = Admission(1)
    with admission, pytest.raises(Overloaded), admission.after_body():
        pass


async def test_a_drain_is_announced_before_it_refuses() -> None:
    admission = Admission(8)
    draining = asyncio.create_task(admission.drain(1.0, notice_s=3600.0))
    await settle()
    with admission:
        assert not admission.is_open
    draining.cancel()


async def test_a_drain_refuses_and_waits_for_what_runs() -> None:
    admission = Admission(8)
    with admission:
        draining = asyncio.create_task(admission.drain(60.0))
        await settle()
        with pytest.raises(Draining), admission:
            pass
        assert not draining.done()
    assert await draining


async def test_a_drain_says_what_did_not_end() -> None:
    admission = Admission(8)
    with admission:
        assert not await admission.drain(0.0)


PATHS = {
    "/health/ready": True,
    "/v2/health/live": True,
    "/v2/models/asr/ready": True,
    "/v2/models/stats": True,
    "/metrics": True,
    "/v2/models/asr/infer": False,
    "/v2/models/asr": False,
    "/v1/models/ready": False,
}


@pytest.mark.parametrize(("path", "expected"), PATHS.items(), ids=PATHS)
def test_what_watches_the_server_needs_no_place(path: str, expected: bool) -> None:
    assert is_probe(path) is expected
