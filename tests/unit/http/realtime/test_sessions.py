"""Administrators list the open sessions of every process, and end one."""

from __future__ import annotations

import asyncio

import httpx

from deployments.http.realtime.relay import Elsewhere
from deployments.http.realtime.sessions import end_here
from deployments.live.events import Closed
from deployments.live.options import LiveOptions
from tests.support.live import samples
from tests.support.realtime import realtime, speech

LIST = "v1/realtime/sessions"
OPTIONS = LiveOptions(targets=("pt",))


async def test_the_list_tells_of_each_session() -> None:
    async with realtime() as place, httpx.AsyncClient(base_url=place.url) as http:
        assert (await http.get(LIST)).json() == {"object": "list", "data": []}
        session = place.sessions.open(OPTIONS, name="talk")
        await session.add(samples(0.5))
        (row,) = (await http.get(LIST)).json()["data"]
        assert row["id"] == session.id
        assert (row["name"], row["targets"], row["heard_s"]) == ("talk", ["pt"], 0.5)
        assert row["lag"]["received"]["events"] == 1


async def test_a_session_that_is_ended_is_flushed_and_says_why() -> None:
    async with realtime() as place, httpx.AsyncClient(base_url=place.url) as http:
        session = place.sessions.open(OPTIONS)
        listener = session.listen()
        answer = await http.delete(f"{LIST}/{session.id}")
        assert answer.json() == {
            "id": session.id,
            "object": "realtime.session",
            "deleted": True,
        }
        (closed,) = [event async for event in listener]
        assert isinstance(closed, Closed)
        assert closed.error is not None
        assert closed.error.code == "session_ended"
        again = await http.delete(f"{LIST}/{session.id}")
        assert (again.status_code, again.json()["error"]["code"]) == (404, "session_not_found")


async def test_a_session_of_another_process_is_ended_there() -> None:
    async with realtime() as there:

        async def nobody(*_: object) -> list[None]:
            return []

        async def end(session: str) -> list[bool]:
            return [False, await end_here(there.sessions, session)]

        elsewhere = Elsewhere(nobody, nobody, end)
        session = there.sessions.open(OPTIONS)
        async with (
            realtime(elsewhere=elsewhere) as here,
            httpx.AsyncClient(base_url=here.url) as http,
        ):
            assert (await http.delete(f"{LIST}/{session.id}")).status_code == 200
            assert session.is_over
            assert (await http.delete(f"{LIST}/{session.id}")).status_code == 404


async def test_models_say_how_late_live_sessions_are() -> None:
    async with realtime() as place, httpx.AsyncClient(base_url=place.url) as http:
        session = place.sessions.open(OPTIONS)
        await session.add(speech(1.0))
        await asyncio.sleep(0)
        rows = {row["id"]: row for row in (await http.get("v1/models")).json()["data"]}
        assert rows["asr"]["live_lag_p95_s"] >= 0.0
        assert rows["nmt"]["live_lag_p95_s"] is None  # no clause has ended
        assert rows["vad"]["live_lag_p95_s"] is None  # no event is a VAD's
        session.abort()


async def test_metrics_tell_of_sessions_lags_and_refusals() -> None:
    async with realtime() as place, httpx.AsyncClient(base_url=place.url) as http:
        session = place.sessions.open(OPTIONS)
        await session.add(samples(0.5))
        await asyncio.sleep(0)
        text = (await http.get("metrics")).text
        assert "dragoman_live_sessions 1.0" in text
        assert 'dragoman_live_lag_seconds_count{stage="received"} 1.0' in text
        session.abort()
        assert "dragoman_live_sessions 0.0" in (await http.get("metrics")).text
