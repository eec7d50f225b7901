"""The client's streams: items in order, errors in mid-stream, and pieces cut anywhere."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from dragoman_client import (
    AsyncClient,
    Client,
    ConnectionFailed,
    DragomanError,
    InvalidRequest,
    NotAudio,
    QueueFull,
    Retry,
    SpeechTranslation,
    StreamedTranscript,
    TranscriptDelta,
    TranslatedSentence,
    UnexpectedResponse,
)
from dragoman_client.events import Reader
from tests.support.asgi import HEARD, SPEECH, TRANSLATED
from tests.support.fake_api import TIMINGS, serving
from tests.support.local import fake_config, fake_fleet
from tests.unit.client.dragoman import run

DELTAS = [
    {"type": "transcript.text.delta", "delta": "Good"},
    {"type": "transcript.text.delta", "delta": " day."},
]
END = {
    "type": "transcript.text.done",
    "text": "Good day.",
    "languages": [{"code": "en"}],
    "usage": {"type": "duration", "seconds": 2.5},
    "timings": TIMINGS,
}


def stream_of(*bodies: dict[str, Any], done: bool = True) -> bytes:
    events = b"".join(f"data: {json.dumps(body)}\n\n".encode() for body in bodies)
    return events + b"data: [DONE]\n\n" * done


def answer(*bodies: dict[str, Any], done: bool = True) -> httpx.Response:
    return httpx.Response(200, content=stream_of(*bodies, done=done))


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    """The client of the server's own application, on fakes."""
    config = fake_config()
    app = asgi_app(await fake_fleet(config), config, Admission(8))
    transport = httpx.ASGITransport(app)
    async with AsyncClient(transport=transport, retry=Retry(attempts=1)) as client:
        yield client


async def test_a_transcript_comes_in_deltas_and_as_a_whole(client: AsyncClient) -> None:
    *deltas, whole = [part async for part in client.stream_transcription(SPEECH)]
    assert isinstance(whole, StreamedTranscript)
    assert (whole.text, whole.languages, whole.duration_s) == (HEARD, ("en",), 2.0)
    assert "".join(delta.text for delta in deltas) == HEARD


async def test_a_translation_comes_in_sentences_and_as_a_whole(client: AsyncClient) -> None:
    *sentences, whole = [part async for part in client.stream_translation(SPEECH, "pt")]
    assert isinstance(whole, SpeechTranslation)
    assert whole.segments == tuple(sentences)
    assert whole.translation.text == TRANSLATED
    first = sentences[0]
    assert isinstance(first, TranslatedSentence)
    assert first.audio is not None
    assert first.audio.data.startswith(b"RIFF")


async def test_a_refused_stream_raises_what_is_wrong(client: AsyncClient) -> None:
    with pytest.raises(NotAudio):
        await anext(client.stream_transcription(b"This is no audio. " * 100))


async def test_a_document_is_translated(client: AsyncClient) -> None:
    assert await client.translate_audio(SPEECH) == HEARD + "\n"
    document = await client.translate_audio(SPEECH, "vtt", target_language="pt")
    assert document.startswith("WEBVTT")


ERRORS = {
    "busy": ({"code": "queue_full", "type": "server_error", "message": "full"}, QueueFull),
    "a bad request": (
        {"code": "new", "type": "invalid_request_error", "message": "no"},
        InvalidRequest,
    ),
}


@pytest.mark.parametrize(("error", "expected"), ERRORS.values(), ids=ERRORS)
def test_an_error_in_mid_stream_is_raised_behind_what_came(
    error: dict[str, Any], expected: type[DragomanError]
) -> None:
    server = serving(answer(DELTAS[0], {"error": error}, done=False))
    with Client(transport=server.transport) as client:
        parts = client.stream_transcription(b"audio")
        assert next(parts) == TranscriptDelta("Good")
        with pytest.raises(expected, match=error["message"]):
            next(parts)


def test_a_stream_without_its_end_is_broken_off() -> None:
    with (
        Client(transport=serving(answer(*DELTAS, done=False)).transport) as client,
        pytest.raises(ConnectionFailed, match="broke off"),
    ):
        list(client.stream_transcription(b"audio"))


@pytest.mark.parametrize("body", [{"type": "else"}, {"type": "transcript.text.delta"}])
def test_an_event_of_another_server_is_refused(body: dict[str, Any]) -> None:
    with (
        Client(transport=serving(answer(body)).transport) as client,
        pytest.raises(UnexpectedResponse),
    ):
        list(client.stream_transcription(b"audio"))


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_may_be_cut_anywhere(size: int) -> None:
    reader, content = Reader(), stream_of(*DELTAS, {"delta": "É"})
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    found = [event for piece in pieces for event in reader.add(piece)]
    reader.end()
    assert [event["delta"] for event in found] == ["Good", " day.", "É"]


def test_transcribe_prints_a_stream(wav: Any) -> None:
    server = serving(answer(*DELTAS, END))
    result = run(server, "transcribe", wav, "--stream")
    assert (result.stdout, server.fields()["stream"]) == ("Good day.\n", "true")


def test_a_stream_is_of_one_text(wav: Any) -> None:
    result = run(serving(answer()), "transcribe", wav, "--stream", "--words")
    assert (result.exit_code, "--stream" in result.stderr) == (2, True)
