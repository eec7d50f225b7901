"""Live sessions of both clients, against a server on a real socket that a test scripts."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

import dragoman_client as dc
from dragoman_client import AsyncClient, Client, Retry
from dragoman_client.live_types import LiveEvent
from tests.support.live_server import FakeLiveServer, FakeSession, serving

PCM = bytes(range(256)) * 100  # 25,600 bytes: two whole frames and a rest
SPEECH = b"\1\2" * 100

Follow: TypeAlias = Callable[..., Awaitable[list[LiveEvent]]]


async def all_sync(
    server: FakeLiveServer, method: str, *args: Any, retry: Retry, key: str | None, **kwargs: Any
) -> list[LiveEvent]:
    def work() -> list[LiveEvent]:
        with (
            Client(server.url, timeout=20, retry=retry, key=key) as client,
            getattr(client, method)(*args, **kwargs) as session,
        ):
            return list(session)

    return await asyncio.to_thread(work)


async def all_async(
    server: FakeLiveServer, method: str, *args: Any, retry: Retry, key: str | None, **kwargs: Any
) -> list[LiveEvent]:
    async with (
        AsyncClient(server.url, timeout=20, retry=retry, key=key) as client,
        getattr(client, method)(*args, **kwargs) as session,
    ):
        return [event async for event in session]


@pytest.fixture(params=[all_sync, all_async], ids=["sync", "async"])
def events(request: pytest.FixtureRequest) -> Follow:
    """Return what opens a session by a method's name, and lists all of its events."""

    async def ask(
        server: FakeLiveServer,
        method: str,
        *args: Any,
        retry: Retry | None = None,
        key: str | None = None,
        **kwargs: Any,
    ) -> list[LiveEvent]:
        retry = retry or Retry(attempts=1)
        found: list[LiveEvent] = await request.param(
            server, method, *args, retry=retry, key=key, **kwargs
        )
        return found

    return ask


async def translated(session: FakeSession) -> None:
    await session.open()
    await session.until("session.close")
    tell = session.tell
    await tell("session.input_transcript.partial", text=" Good", elapsed_ms=200)
    await tell("session.input_transcript.delta", delta="Good day.", elapsed_ms=400)
    await tell("session.output_transcript.delta", delta="Bom dia.", elapsed_ms=400)
    await tell(
        "session.output_audio.delta",
        delta=base64.b64encode(SPEECH).decode(),
        sample_rate=24000,
        channels=1,
        format="pcm16",
        elapsed_ms=400,
    )
    await tell(
        "session.output_transcript.done",
        text="Bom dia.",
        source_text="Good day.",
        source_language="en",
        start_ms=0,
        end_ms=400,
    )
    await tell("session.input_transcript.done", text="Good day.", language="en", start_ms=0)
    await tell("something.new", fields=1)
    await tell("session.closed")


async def test_a_translation_is_told_as_typed_events_and_ends(events: Follow) -> None:
    async with serving(translated) as server:
        found = await events(server, "live", "pt", PCM)
    assert found == [
        dc.PartialText(" Good", 0.2),
        dc.TranscriptText("Good day.", 0.4),
        dc.TranslatedText("Bom dia.", "pt", 0.4),
        dc.TranslatedSpeech(SPEECH, 24000, "pt", 0.4),
        dc.SentenceEnd("Bom dia.", "Good day.", "pt", "en", 0.0, 0.4),
        dc.TurnEnd("Good day.", "en", 0.0),
        dc.Closed(),
    ]


async def test_all_audio_is_sent_in_frames_of_200_ms(events: Follow) -> None:
    async with serving(translated) as server:
        await events(server, "live", "pt", [PCM[:101], PCM[101:]])
    (session,) = server.sessions
    sizes = [len(base64.b64decode(e["audio"])) for e in session.received if "audio" in e]
    assert (session.pcm(), sizes) == (PCM, [9600, 9600, 6400])


async def test_the_options_reach_the_server(events: Follow) -> None:
    async with serving(translated) as server:
        await events(
            server,
            "live",
            "pt",
            PCM,
            source_language="en",
            delay="low",
            voice="source",
            name="lecture",
            key="secret",
        )
    update = server.sessions[0].received[0]["session"]["audio"]
    assert update["output"]["language"] == "pt"
    assert update["output"]["voice"] == "source"
    assert update["input"]["delay"] == "low"
    assert server.query["name"] == "lecture"
    assert server.requests[-1].headers["authorization"] == "Bearer secret"


async def transcribed(session: FakeSession) -> None:
    """Two turns, of which the second is whole only after the flush."""
    await session.open()
    await session.until("input_audio_buffer.clear")
    tell, done = session.tell, "conversation.item.input_audio_transcription.completed"
    await tell("input_audio_buffer.speech_started", item_id="a", audio_start_ms=100)
    await tell("input_audio_buffer.speech_stopped", item_id="a", audio_end_ms=300)
    await tell("input_audio_buffer.committed", item_id="a", previous_item_id=None)
    await tell("input_audio_buffer.committed", item_id="b", previous_item_id="a")
    await tell("input_audio_buffer.cleared")
    await tell(done, item_id="a", content_index=0, transcript="One.", languages=[{"code": "en"}])
    await tell(done, item_id="b", content_index=0, transcript="Two.", languages=[])
    await session.socket.wait_closed()


async def test_a_transcription_ends_once_every_turn_is_whole(events: Follow) -> None:
    async with serving(transcribed) as server:
        found = await events(server, "live", None, PCM)
    assert found == [
        dc.SpeechStart(0.1),
        dc.SpeechEnd(0.3),
        dc.TurnEnd("One.", "en", 0.1, 0.3),
        dc.TurnEnd("Two."),
        dc.Closed(),
    ]
    assert (server.path, server.query["intent"]) == ("/v1/realtime", "transcription")


async def silent(session: FakeSession) -> None:
    await session.open()
    commit = await session.until("input_audio_buffer.commit")
    error = {"code": "input_audio_buffer_commit_empty", "message": "empty"}
    await session.tell("error", error={**error, "event_id": commit["event_id"]})
    await session.until("input_audio_buffer.clear")
    await session.tell("input_audio_buffer.cleared")


async def test_nothing_left_to_commit_is_no_problem(events: Follow) -> None:
    async with serving(silent) as server:
        assert await events(server, "live", None, PCM) == [dc.Closed()]


async def followed(session: FakeSession) -> None:
    await session.tell("session.created", session={"id": "sess_1"})
    await session.tell("session.output_transcript.delta", delta="Olá.", elapsed_ms=200)
    await session.tell("session.closed")


async def test_a_follower_sends_nothing(events: Follow) -> None:
    async with serving(followed) as server:
        found = await events(server, "follow", "lecture", "pt", text_only=True)
    assert found == [dc.TranslatedText("Olá.", "pt", 0.2), dc.Closed()]
    assert server.query["follow"] == "lecture"
    assert server.query["language"] == "pt"
    assert server.sessions[0].received == []


# ---- what goes wrong ----------------------------------------------------------------------

BUSY = {"message": "8 sessions are open", "type": "server_error", "code": "overloaded"}


async def test_a_refused_handshake_is_tried_again_when_the_server_says(events: Follow) -> None:
    refusals = [(503, BUSY, {"retry-after": "0"}), (429, BUSY, {"retry-after": "0"})]
    async with serving(translated, refusals) as server:
        found = await events(server, "live", "pt", PCM, retry=Retry(attempts=3))
    assert found[-1] == dc.Closed()
    assert len(server.requests) == 3


async def test_the_last_refusal_is_raised_with_its_wait(events: Follow) -> None:
    async with serving(translated, [(503, BUSY, {"retry-after": "7"})]) as server:
        with pytest.raises(dc.Overloaded, match="8 sessions are open") as caught:
            await events(server, "live", "pt", PCM)
    assert caught.value.retry_after_s == 7


async def test_a_key_that_is_unknown_is_not_tried_again(events: Follow) -> None:
    error = {"message": "no such key", "code": "invalid_key"}
    async with serving(translated, [(401, error, {})] * 3) as server:
        with pytest.raises(dc.Unauthorized, match="no such key"):
            await events(server, "live", "pt", PCM, retry=Retry(attempts=3))
        assert len(server.requests) == 1


async def test_no_server_is_a_failed_connection(events: Follow) -> None:
    async with serving(translated) as server:
        pass
    with pytest.raises(dc.ConnectionFailed, match=r"cannot reach ws://127\.0\.0\.1"):
        await events(server, "live", "pt", PCM)


async def test_options_that_the_server_refuses_are_raised(events: Follow) -> None:
    async def refuse(session: FakeSession) -> None:
        await session.tell("session.created", session={"id": "sess_1"})
        await session.until("session.update")
        error = {"code": "unknown_language", "message": "no language xx", "param": "language"}
        await session.tell("error", error=error)
        await session.socket.wait_closed()

    async with serving(refuse) as server:
        with pytest.raises(dc.UnknownLanguage, match="no language xx") as caught:
            await events(server, "live", "xx", PCM)
    assert caught.value.param == "language"


async def test_a_session_that_breaks_off_says_what_was_lost(events: Follow) -> None:
    async def break_off(session: FakeSession) -> None:
        await session.open()
        for _ in range(5):
            await session.until("session.input_audio_buffer.append")
        await session.tell("session.input_transcript.delta", delta="Good day.", elapsed_ms=400)
        await session.tell("session.output_transcript.delta", delta="Bom dia.", elapsed_ms=400)
        await session.tell("session.input_transcript.delta", delta=" And you", elapsed_ms=800)
        await session.until("session.close")
        await session.socket.close(1012, "restarting")

    async with serving(break_off) as server:
        with pytest.raises(dc.SessionLost) as caught:
            await events(server, "live", "pt", bytes(48_000))
    lost = caught.value
    assert (lost.sent_s, lost.answered_s) == (1.0, 0.4)
    assert lost.lost_s == pytest.approx(0.6)
    assert lost.unfinished_text == "And you"
    assert "code 1012 restarting; 0.6 s from 0.4 s on are not answered" in str(lost)


async def test_an_error_within_a_session_is_an_event(events: Follow) -> None:
    async def fail_in_part(session: FakeSession) -> None:
        await session.open()
        await session.tell("error", error={"code": "queue_full", "message": "a clause is lost"})
        await session.until("session.close")
        await session.tell("session.closed")

    async with serving(fail_in_part) as server:
        found = await events(server, "live", "pt", PCM)
    assert found == [dc.Problem("queue_full", "a clause is lost"), dc.Closed()]


async def test_audio_that_cannot_be_read_ends_the_session_with_its_own_error(
    events: Follow,
) -> None:
    async def listen(session: FakeSession) -> None:
        await session.open()
        await session.socket.wait_closed()

    async with serving(listen) as server:
        with pytest.raises(FileNotFoundError):
            await events(server, "live", "pt", "no/such/file.wav")


# ---- a caller who sends by itself ------------------------------------------------------------


async def test_audio_may_be_sent_by_hand() -> None:
    async with (
        serving(translated) as server,
        AsyncClient(server.url) as client,
        client.live("pt") as session,
    ):
        await session.send(PCM[:5001])
        await session.send(PCM[5001:])
        await session.finish()
        found = [event async for event in session]
        assert session.id == "sess_1"
    assert server.sessions[0].pcm() == PCM
    assert found[-1] == dc.Closed()


async def test_an_async_iterator_is_sent() -> None:
    async def spoken() -> Any:
        yield PCM[:7]
        yield PCM[7:]

    async with (
        serving(translated) as server,
        AsyncClient(server.url) as client,
        client.live("pt", spoken()) as session,
    ):
        async for _ in session:
            pass
    assert server.sessions[0].pcm() == PCM


async def test_nothing_can_be_sent_after_the_end() -> None:
    async with (
        serving(translated) as server,
        AsyncClient(server.url) as client,
        client.live("pt") as session,
    ):
        await session.finish()
        with pytest.raises(RuntimeError, match="after `finish`"):
            await session.send(bytes(9600))


async def test_a_commit_may_be_answered_behind_the_clear(events: Follow) -> None:
    async def late(session: FakeSession) -> None:
        await session.open()
        await session.until("input_audio_buffer.clear")
        await session.tell("input_audio_buffer.cleared")
        await session.tell("input_audio_buffer.committed", item_id="a")
        done = "conversation.item.input_audio_transcription.completed"
        await session.tell(done, item_id="a", transcript="One.")
        await session.socket.wait_closed()

    async with serving(late) as server:
        assert await events(server, "live", None, PCM) == [dc.TurnEnd("One."), dc.Closed()]
