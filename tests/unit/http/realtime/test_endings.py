"""How sessions end, and with which close code: nothing looks finished that is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from deployments.config.live import Live
from models.errors import InternalError, SessionEnded, SessionExpired, SessionIdle
from tests.support.realtime import (
    TRANSCRIPTION,
    TRANSLATION,
    Place,
    realtime,
    silence,
    speech,
    talking,
    text_of,
    types_of,
)
from tests.support.sockets import until

SAID = "session.output_transcript.delta"
QUERY = {"model": "asr", "to": "pt", "text_only": "true"}


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with realtime() as here:
        yield here


async def opened(place: Place) -> Any:
    (session,) = place.sessions
    return session


async def test_a_drain_flushes_and_closes_with_1012(place: Place) -> None:
    async with talking(place.at(TRANSLATION, **QUERY)) as talk:
        await talk.append(speech(0.5))
        await until(lambda: bool(place.sessions) and next(iter(place.sessions)).heard_s >= 0.5)
        draining = asyncio.create_task(place.admission.drain(10.0))
        events = await talk.rest()
        assert text_of(events, SAID) == "<en>pt:w0 w1"
        assert "error" not in types_of(events)
        assert "session.closed" not in types_of(events)
        assert (talk.socket.close_code, talk.socket.close_reason) == (
            1012,
            "the server is stopping",
        )
        assert await draining


async def test_a_drain_ends_what_cannot_be_flushed_in_its_time(place: Place) -> None:
    async with talking(place.at(TRANSLATION, **QUERY)) as talk:
        await talk.append(speech(0.5))
        session = await opened(place)
        session._models.gate.clear()
        await until(lambda: session.heard_s >= 0.5)
        draining = asyncio.create_task(place.admission.drain(1.1))
        await talk.rest()
        assert talk.socket.close_code == 1012
        assert await draining


async def test_a_drain_flushes_as_long_as_its_time_goes(place: Place) -> None:
    async with talking(place.at(TRANSLATION, **QUERY)) as talk:
        await talk.next()
        session = await opened(place)
        end, given = session.end, []

        async def noted(error: Any, within_s: float) -> None:
            given.append(within_s)
            await end(error, within_s)

        session.end = noted
        await place.admission.drain(60.0)
        await talk.rest()
        assert given[0] == pytest.approx(59.0, abs=5.0)


async def test_a_client_that_leaves_is_noticed_though_its_session_is_behind(place: Place) -> None:
    async with talking(place.at(TRANSCRIPTION, intent="transcription")) as talk:
        await talk.next()
        session = await opened(place)
        session._hearing.room.clear()
        for _ in range(8):
            await talk.append(speech(1.0), TRANSCRIPTION)
        await until(lambda: session.heard_s >= 1.0)
        talk.socket.transport.abort()

        def goes_on() -> bool:
            if not session.is_over:
                session._hearing._say()
            return bool(session.is_over)

        await until(goes_on)


@pytest.mark.parametrize(
    ("error", "code", "kinds"),
    [
        (InternalError("a secret of the server"), 1011, ["error"]),
        (SessionEnded("an administrator ended it"), 1008, ["error", "session.closed"]),
    ],
    ids=["fault", "ended"],
)
async def test_an_ending_is_told_by_an_error_and_a_code(
    place: Place, error: Any, code: int, kinds: list[str]
) -> None:
    async with talking(place.at(TRANSLATION, **QUERY)) as talk:
        await talk.next()
        (await opened(place)).abort(error)
        events = await talk.rest()
        assert types_of(events) == kinds
        assert events[0]["error"]["code"] == error.code
        assert talk.socket.close_code == code
        assert "secret" not in str(events) + str(talk.socket.close_reason)


async def test_a_fault_in_a_handler_is_1011_and_no_silence(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    async with talking(place.at(TRANSLATION, **QUERY)) as talk:
        await talk.next()

        def broken(*_: object) -> None:
            raise RuntimeError("broken")

        (await opened(place)).update = broken
        await talk.send("session.update", session={"audio": {"output": {"language": "es"}}})
        events = await talk.rest()
        assert [event["error"]["message"] for event in events] == ["internal error"]
        assert talk.socket.close_code == 1011


@pytest.mark.parametrize("path", [TRANSLATION, TRANSCRIPTION])
async def test_a_client_that_leaves_ends_its_session(place: Place, path: str) -> None:
    query = QUERY if path == TRANSLATION else {"intent": "transcription"}
    async with talking(place.at(path, **query)) as talk:
        await talk.next()
        talk.socket.transport.abort()
        await until(lambda: len(place.sessions) == 0)


async def test_a_reader_that_stops_is_dropped_with_a_reason() -> None:
    """What it does not read is bounded in bytes; when it reads again, it learns why."""
    async with (
        realtime(limits=Live(listener_bytes=1 << 16)) as place,
        talking(place.at(TRANSLATION, model="asr", to="pt"), max_queue=1) as talk,
    ):
        await talk.next()
        talk.socket.transport.pause_reading()
        (session,) = place.sessions
        for _ in range(400):
            if session.is_over:
                break
            await talk.append(speech(1.0))
            await talk.append(silence(0.6))
            await asyncio.sleep(0)
        await until(lambda: session.is_over)
        talk.socket.transport.resume_reading()
        await talk.rest()
        assert talk.socket.close_code == 1008
        assert "not read" in (talk.socket.close_reason or "")


async def test_no_audio_for_long_ends_a_session_with_a_reason() -> None:
    async with (
        realtime() as place,
        talking(place.at(TRANSLATION, **QUERY)) as talk,
    ):
        await talk.until("session.created")
        (session,) = place.sessions
        await session.end(SessionIdle("no audio came for an hour"))
        events = await talk.rest()
        assert types_of(events) == ["error", "session.closed"]
        assert events[0]["error"]["code"] == "session_idle"
        assert talk.socket.close_code == 1008


async def test_a_session_lasts_no_longer_than_it_may() -> None:
    async with (
        realtime() as place,
        talking(place.at(TRANSCRIPTION, intent="transcription")) as talk,
    ):
        await talk.append(speech(0.5), TRANSCRIPTION)
        (session,) = place.sessions
        await until(lambda: session.heard_s >= 0.5)
        await session.end(SessionExpired("a session lasts an hour"))
        events = await talk.rest()
        assert "conversation.item.input_audio_transcription.completed" in types_of(events)
        assert events[-1]["error"]["code"] == "session_expired"


async def test_200_sessions_at_once_are_taken_or_refused_in_the_handshake() -> None:
    async with realtime(limits=Live(max_sessions=8)) as place:
        outcomes = await asyncio.gather(
            *(one(place.at(TRANSLATION, **QUERY)) for _ in range(200)), return_exceptions=True
        )
        statuses = [getattr(each, "response", None) for each in outcomes]
        refused = [each.status_code for each in statuses if each is not None]
        served = [each for each in outcomes if not isinstance(each, BaseException)]
        assert set(refused) <= {503}
        assert len(served) + len(refused) == 200
        assert len(served) >= 8
        assert set(served) == {1000}
        assert len(place.sessions) == 0


async def one(url: str) -> int | None:
    async with talking(url, open_timeout=None, ping_interval=None) as talk:
        await talk.append(speech(0.5))
        await talk.send("session.close")
        await talk.rest(within_s=60)
        return talk.socket.close_code
