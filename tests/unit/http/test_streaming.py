"""Speech that is sent while it is made: when each sentence leaves, and how a stream ends."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from deployments.batching.batch import BatchReply
from deployments.catalogue.selection import Fleet
from deployments.config.policy import BatchPolicy
from deployments.config.schema import AppConfig
from deployments.http import streaming
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.http.server import Listener
from deployments.serve.ports import free_port
from deployments.telemetry import tracing
from dragoman_client import AsyncClient, ConnectionFailed
from dragoman_client.headers import server_timing_ms
from models.audio.encode import encode
from models.audio.marks import synthetic_tags
from models.errors import InvalidRequest, Unavailable
from models.types import Audio, Speech, TtsItem
from tests.support.bad_input import SPEAK
from tests.support.caller import Caller
from tests.support.clock import settle
from tests.support.local import LocalRemote, fake_config, fake_fleet, fake_remotes, until_queued

TEXT = "One is spoken. Two is held. Three is last."
ONE, TWO, THREE = "One is spoken.", "Two is held.", "Three is last."
GAP = np.zeros(3200, np.int16)  # 0.2 s of the fake's 16 kHz


class Gated(LocalRemote):
    """A fake voice that speaks a sentence once it may, or fails it."""

    def __init__(self, config: AppConfig) -> None:
        super().__init__("tts", config.models["tts"])
        self.gates: dict[str, asyncio.Event] = {}
        self.broken: set[str] = set()
        self.silent: set[str] = set()
        self.asked: list[list[str]] = []  # the texts of each batch

    def hold(self, *texts: str) -> None:
        self.gates |= {text: asyncio.Event() for text in texts}

    async def infer(self, items: Sequence[TtsItem]) -> BatchReply[Any]:
        texts = [item.text for item in items]
        self.asked.append(texts)
        for text in texts:
            if text in self.gates:
                await self.gates[text].wait()
        if self.broken.intersection(texts):
            raise Unavailable("no replica answers")
        reply = await super().infer(items)
        mute = Speech(Audio(np.zeros(0, np.int16)))
        rows = [mute if t in self.silent else r for t, r in zip(texts, reply.results, strict=True)]
        return replace(reply, results=rows)


class Server:
    """The application on fakes, with a gated voice."""

    def __init__(self, config: AppConfig, fleet: Fleet, voice: Gated, admission: Admission) -> None:
        self.voice, self.admission, self.fleet = voice, admission, fleet
        self.app = asgi_app(fleet, config, admission)

    def ask(
        self, text: str = TEXT, headers: Mapping[str, str] | None = None, **fields: Any
    ) -> Caller:
        body = {"input": text, "voice": "fake-en", "response_format": "wav", **fields}
        return Caller(self.app, SPEAK, json.dumps(body).encode(), **(headers or {}))


@pytest.fixture
async def server() -> Server:
    config = fake_config()
    remotes = fake_remotes(config)
    remotes["tts"] = voice = Gated(config)
    return Server(config, await fake_fleet(config, remotes), voice, Admission(64))


def spoken(text: str) -> Any:
    """As the fake speaks it."""
    return np.full(len(text) * 800, 1 + sum(text.encode()) % 1000, np.int16)


MARK = synthetic_tags("fake-en")
HEADER_BYTES = len(encode(Audio(np.zeros(0, np.int16)), "wav", MARK))


def samples(data: bytes) -> Any:
    """Of a WAV file, from its start or from later on."""
    return np.frombuffer(data[HEADER_BYTES if data.startswith(b"RIFF") else 0 :], "<i2")


WHOLE = np.concatenate([spoken(ONE), GAP, spoken(TWO), GAP, spoken(THREE)])

# ---- when each sentence leaves ---------------------------------------------------------


async def test_a_sentence_leaves_while_the_next_is_held(server: Server) -> None:
    server.voice.hold(TWO)
    caller = server.ask()
    status, _ = await caller.start()
    assert status == 200
    np.testing.assert_array_equal(samples(await caller.piece()), spoken(ONE))
    assert not caller.task.done()
    server.voice.gates[TWO].set()
    rest = np.concatenate([GAP, spoken(TWO), GAP, spoken(THREE)])
    np.testing.assert_array_equal(samples(await caller.rest()), rest)


async def test_an_idle_voice_begins_with_the_first_sentence_alone(server: Server) -> None:
    await server.ask().task
    assert server.voice.asked[0] == [ONE]


async def test_nothing_leaves_before_the_first_sentence(server: Server) -> None:
    server.voice.hold(ONE)
    caller = server.ask()
    await settle()
    assert caller.unread == 0
    server.voice.gates[ONE].set()
    assert (await caller.start())[0] == 200


@pytest.mark.parametrize("text", ["...!", "?! ...\n\n--"], ids=["one line", "lines"])
@pytest.mark.parametrize("stream_format", ["audio", "sse", "none"])
async def test_a_text_without_a_sound_is_refused(
    server: Server, text: str, stream_format: str
) -> None:
    assert (await server.ask(text, stream_format=stream_format).start())[0] == 400


@pytest.mark.parametrize("silent", [ONE, TWO], ids=["first", "middle"])
async def test_a_sentence_without_a_sound_takes_no_gap(server: Server, silent: str) -> None:
    server.voice.silent.add(silent)
    caller = server.ask()
    await caller.start()
    audible = [spoken(text) for text in (ONE, TWO, THREE) if text != silent]
    expected = np.concatenate([audible[0], GAP, audible[1]])
    np.testing.assert_array_equal(samples(await caller.rest()), expected)


async def test_a_long_text_leaves_others_their_first_sentence(server: Server) -> None:
    """The voice takes one sentence at a time; the long text keeps it busy, and no more."""
    server.fleet.reconfigure({"tts": BatchPolicy(max_batch_size=1)})
    server.voice.hold(TWO, THREE)  # one runs, one stands ready behind it
    long = server.ask(TEXT + " Four. Five.")
    await long.start()
    other = server.ask("Of another. Goodbye.")
    await until_queued(server.fleet.pick("tts").batcher)
    for gate in server.voice.gates.values():
        gate.set()
    await asyncio.gather(long.rest(), other.task)
    texts = [text for batch in server.voice.asked for text in batch]
    assert texts[:4] == [ONE, TWO, THREE, "Of another."]


# ---- what is sent at once --------------------------------------------------------------


async def test_one_sentence_is_a_whole_answer(server: Server) -> None:
    _, headers = await server.ask(ONE).start()
    assert headers["content-length"] == str(HEADER_BYTES + 2 * len(spoken(ONE)))


async def test_who_asks_for_no_stream_gets_the_whole_file(server: Server) -> None:
    caller = server.ask(stream_format="none", response_format="wav")
    _, headers = await caller.start()
    data = await caller.rest()
    assert data == encode(Audio(WHOLE), "wav", MARK)
    assert headers["content-length"] == str(len(data))
    assert "encode;dur=" in headers["server-timing"]


async def test_a_stream_tells_no_length_and_the_time_of_its_first_sentence(server: Server) -> None:
    server.voice.hold(TWO)
    _, headers = await server.ask().start()
    assert "content-length" not in headers
    assert (headers["content-type"], headers["x-request-id"]) == ("audio/wav", "of-the-caller")
    assert set(server_timing_ms(headers["server-timing"])) == {"tts", "encode", "total"}


# ---- bare samples ----------------------------------------------------------------------

PCM = encode(Audio(WHOLE), "pcm")  # of the fake's 16 kHz


@pytest.mark.parametrize("stream_format", ["audio", "none"])
async def test_bare_samples_have_openais_rate_and_say_so(
    server: Server, stream_format: str
) -> None:
    caller = server.ask(response_format="pcm", stream_format=stream_format)
    _, headers = await caller.start()
    assert headers["content-type"] == "audio/pcm; rate=24000; channels=1"
    assert await caller.rest() == PCM
    assert len(PCM) == 2 * len(WHOLE) * 24_000 // 16_000


async def test_bare_samples_in_events_have_the_same_rate(server: Server) -> None:
    caller = server.ask(response_format="pcm", stream_format="sse")
    await caller.start()
    *deltas, _ = events(await caller.rest())
    assert b"".join(base64.b64decode(delta["audio"]) for delta in deltas) == PCM


# ---- what is faster or slower ----------------------------------------------------------


@pytest.mark.parametrize("stream_format", ["audio", "none"])
async def test_the_silence_between_sentences_keeps_the_speed(
    server: Server, stream_format: str
) -> None:
    caller = server.ask(speed=2.0, stream_format=stream_format)
    await caller.start()
    assert len(samples(await caller.rest())) == len(WHOLE) // 2


# ---- server-sent events ----------------------------------------------------------------


def events(data: bytes) -> list[dict[str, Any]]:
    *parts, end = data.decode("ascii").split("\n\n")
    assert end == ""
    return [json.loads(part.removeprefix("data: ")) for part in parts]


async def test_events_hold_the_audio_and_end_with_its_usage(server: Server) -> None:
    caller = server.ask(stream_format="sse")
    _, headers = await caller.start()
    *deltas, done = events(await caller.rest())
    audio = b"".join(base64.b64decode(delta["audio"]) for delta in deltas)
    np.testing.assert_array_equal(samples(audio), WHOLE)
    assert {delta["type"] for delta in deltas} == {"speech.audio.delta"}
    assert len(deltas) == 3
    assert headers["content-type"].startswith("text/event-stream")
    assert done["type"] == "speech.audio.done"
    assert done["usage"] == {"input_tokens": 42, "output_tokens": 0, "total_tokens": 42}
    (tts,) = (stage for stage in done["timings"]["stages"] if stage["stage"] == "tts")
    assert tts["items"] == 3


async def test_one_sentence_is_an_event_too(server: Server) -> None:
    caller = server.ask(ONE, stream_format="sse")
    await caller.start()
    kinds = [e["type"] for e in events(await caller.rest())]
    assert kinds == ["speech.audio.delta", "speech.audio.done"]


async def test_an_error_on_the_way_is_an_event(server: Server) -> None:
    server.voice.hold(TWO)
    server.voice.broken.add(TWO)
    caller = server.ask(stream_format="sse")
    await caller.start()
    await caller.piece()
    server.voice.gates[TWO].set()
    (event,) = events(await caller.rest())
    assert event["error"]["code"] == "unavailable"
    await caller.task


# ---- how a stream ends -----------------------------------------------------------------


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
async def test_an_error_before_the_first_sentence_has_its_status(
    server: Server, stream_format: str
) -> None:
    server.voice.hold(ONE)
    server.voice.broken.add(TWO)
    caller = server.ask(stream_format=stream_format)
    status, _ = await caller.start()
    body = json.loads(await caller.rest())
    assert (status, body["error"]["code"]) == (503, "unavailable")


async def test_an_error_on_the_way_breaks_the_stream_off(server: Server) -> None:
    server.voice.hold(TWO)
    server.voice.broken.add(TWO)
    caller = server.ask()
    await caller.start()
    await caller.piece()
    server.voice.gates[TWO].set()
    await caller.task
    assert caller.unread == 0  # no end: the listener closes the connection


async def test_a_deadline_on_the_way_breaks_the_stream_off(server: Server) -> None:
    server.voice.hold(TWO)
    caller = server.ask(headers={"x_timeout_ms": "3000"})
    await caller.start()
    await caller.piece()
    await caller.task
    assert caller.unread == 0


async def test_a_caller_that_leaves_takes_its_sentences_along(server: Server) -> None:
    server.voice.hold(TWO, THREE)
    caller = server.ask(TEXT + " Never spoken." * 20)
    await caller.start()
    await caller.piece()
    asked = list(server.voice.asked)
    caller.leave()
    async with asyncio.timeout(10):
        await caller.task
        await server.fleet.of_kind("tts")[0].batcher.until_idle()
    assert server.voice.asked == asked


async def test_a_stream_is_a_running_request_until_it_ends(server: Server) -> None:
    server.voice.hold(TWO)
    caller = server.ask()
    await caller.start()
    draining = asyncio.create_task(server.admission.drain(10))
    await settle()
    assert not draining.done()
    server.voice.gates[TWO].set()
    await caller.rest()
    assert await draining


async def test_the_span_of_a_stream_ends_with_it(server: Server) -> None:
    exporter = InMemorySpanExporter()
    tracing.set_up(None, exporter=exporter)
    try:
        server.voice.hold(TWO)
        server.voice.broken.add(TWO)
        caller = server.ask()
        await caller.start()
        server.voice.gates[TWO].set()
        await asyncio.wait([caller.task])
    finally:
        tracing.shut_down()
    spans = exporter.get_finished_spans()
    (root,) = (span for span in spans if span.kind is SpanKind.SERVER)
    told = dict(root.attributes or {})
    assert (told["dragoman.request_id"], told["error.type"]) == ("of-the-caller", "unavailable")
    assert sorted(span.name for span in spans if span is not root) == [
        "encode",
        "tts",
        "tts",
        "tts",
    ]


# ---- over a socket ---------------------------------------------------------------------


@pytest.fixture
async def url(server: Server) -> AsyncIterator[str]:
    """Of the application behind the server's own listener."""
    port = free_port()
    listener = Listener(server.app, "127.0.0.1", port, keep_alive_timeout_s=60)
    listener.start()
    yield f"http://127.0.0.1:{port}"
    await listener.stop(Admission(8), 10.0)


async def test_the_client_is_given_each_sentence(server: Server, url: str) -> None:
    server.voice.hold(TWO)
    data = b""
    async with AsyncClient(url, timeout=10) as client:
        pieces = client.stream_speech(TEXT, voice="fake-en", response_format="wav")
        while len(data) < HEADER_BYTES + 2 * len(spoken(ONE)):
            data += await anext(pieces)
        server.voice.gates[TWO].set()
        data += b"".join([piece async for piece in pieces])
    np.testing.assert_array_equal(samples(data), WHOLE)


async def test_the_client_is_told_of_a_stream_that_breaks_off(server: Server, url: str) -> None:
    server.voice.hold(TWO)
    server.voice.broken.add(TWO)
    async with AsyncClient(url, timeout=10) as client:
        pieces = client.stream_speech(TEXT, voice="fake-en", response_format="wav")
        await anext(pieces)
        server.voice.gates[TWO].set()
        with pytest.raises(ConnectionFailed, match="broke"):
            async for _ in pieces:
                pass


async def test_the_server_is_told_of_a_client_that_has_had_enough(server: Server, url: str) -> None:
    server.voice.hold(TWO, THREE)
    async with AsyncClient(url, timeout=10) as client:
        pieces = client.stream_speech(TEXT, voice="fake-en", response_format="wav")
        await anext(pieces)
        await pieces.aclose()
        async with asyncio.timeout(10):
            await server.fleet.of_kind("tts")[0].batcher.until_idle()
    assert not server.voice.gates[TWO].is_set()


async def test_the_frames_of_a_failed_stream_wait_for_no_collection() -> None:
    class Held:
        """Stands for the audio that a frame holds."""

    held: list[weakref.ref[Held]] = []

    async def pieces() -> AsyncGenerator[bytes]:
        audio = Held()
        held.append(weakref.ref(audio))
        yield b"first"
        raise InvalidRequest("the second sentence fails")

    gc.disable()
    try:
        bodies = streaming.speech_bodies(pieces(), dict)
        told = [event async for event in streaming.events(bodies, "an-id")]
        assert b"the second sentence fails" in told[-1]
        assert held[0]() is None
    finally:
        gc.enable()
