"""OpenAI's own client against the application on fakes: what it documents raises no error."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import numpy as np
import openai
import pytest
from openai.types.audio import (
    TranscriptionDiarized,
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionTextSegmentEvent,
)

from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from tests.support.asgi import HEARD, SPEECH, TRANSLATED
from tests.support.asgi import SPOKEN as A_SPEAKER
from tests.support.bad_input import data_url, wav
from tests.support.local import fake_config, fake_fleet

VOICES = (
    *("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable"),
    *("marin", "nova", "onyx", "sage", "shimmer", "verse"),
)


@pytest.fixture
async def sdk() -> AsyncIterator[openai.AsyncOpenAI]:
    config = fake_config()
    both = {voice: {"en": "fake-en", "pt": "fake-pt"} for voice in VOICES}
    config = config.model_copy(update={"voice_aliases": both})
    app: Any = asgi_app(await fake_fleet(config), config, Admission(8))
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app))
    async with openai.AsyncOpenAI(
        api_key="none", base_url="http://localhost/v1", http_client=http, max_retries=0
    ) as client:
        yield client


def a_file() -> tuple[str, io.BytesIO]:
    return "speech.wav", io.BytesIO(SPEECH)


# ---- transcriptions -----------------------------------------------------------------------

# Arguments as the client documents them, and what of them is ignored.
TAKEN: dict[str, tuple[dict[str, Any], str | None]] = {
    "nothing else": ({}, None),
    "a language": ({"language": "en"}, None),
    "a language with a region": ({"language": "en-US"}, None),
    "a prompt": ({"prompt": "Dragoman, Lisbon."}, None),
    "a temperature": ({"temperature": 0.2}, None),
    "logprobs": ({"include": ["logprobs"]}, None),
    "chunking by itself": ({"chunking_strategy": "auto"}, None),
    "chunking by its own rules": (
        {"chunking_strategy": {"type": "server_vad", "threshold": 0.4, "prefix_padding_ms": 200}},
        None,
    ),
    "keywords": ({"keywords": ["Dragoman", "Lisbon"]}, None),
    "a candidate": ({"languages": ["en"]}, None),
    "candidates": ({"languages": ["en", "pt"]}, None),
    "no stream": ({"stream": False}, None),
    "a field of another server": ({"extra_body": {"vad_filter": True, "user": "me"}}, "vad_filter"),
    "words": (
        {"response_format": "verbose_json", "timestamp_granularities": ["word", "segment"]},
        None,
    ),
}


@pytest.mark.parametrize(("asked", "ignored"), TAKEN.values(), ids=TAKEN)
async def test_a_transcription_takes_what_is_documented(
    sdk: openai.AsyncOpenAI, asked: dict[str, Any], ignored: str | None
) -> None:
    answer = await sdk.audio.transcriptions.with_raw_response.create(
        file=a_file(), model="whisper-1", **asked
    )
    told = answer.headers.get("x-ignored-fields")
    assert answer.parse().text == HEARD
    assert (told.split(", ")[0] if told else None) == ignored


@pytest.mark.parametrize("response_format", ["text", "srt", "vtt"])
async def test_a_transcript_as_a_document_is_bare(
    sdk: openai.AsyncOpenAI, response_format: Any
) -> None:
    answer: Any = await sdk.audio.transcriptions.create(
        file=a_file(), model="whisper-1", response_format=response_format
    )
    assert "There are 16000 samples." in answer
    assert not answer.startswith("{")


async def test_who_speaks_is_told(sdk: openai.AsyncOpenAI) -> None:
    answer: Any = await sdk.audio.transcriptions.create(
        file=("a.wav", io.BytesIO(wav(A_SPEAKER))),
        model="whisper-1",
        response_format="diarized_json",
        chunking_strategy="auto",
        known_speaker_names=["Ann"],
        known_speaker_references=[data_url(wav(np.full(48_000, 700, np.int16)))],
    )
    assert isinstance(answer, TranscriptionDiarized)
    (segment,) = answer.segments
    assert (segment.speaker, segment.text) == ("Ann", answer.text)


async def test_a_streamed_transcript_has_the_types_of_the_client(sdk: openai.AsyncOpenAI) -> None:
    stream = await sdk.audio.transcriptions.create(file=a_file(), model="whisper-1", stream=True)
    *deltas, done = [event async for event in stream]
    assert isinstance(done, TranscriptionTextDoneEvent)
    assert done.text == HEARD
    assert [type(delta) for delta in deltas] == [TranscriptionTextDeltaEvent]


async def test_who_speaks_is_told_in_a_stream(sdk: openai.AsyncOpenAI) -> None:
    stream: Any = await sdk.audio.transcriptions.create(
        file=("a.wav", io.BytesIO(wav(A_SPEAKER))),
        model="whisper-1",
        response_format="diarized_json",
        stream=True,
    )
    segment, done = [event async for event in stream]
    assert isinstance(segment, TranscriptionTextSegmentEvent)
    assert isinstance(done, TranscriptionTextDoneEvent)
    assert (segment.speaker, segment.text) == ("A", done.text)


async def test_a_stream_is_read_line_by_line(sdk: openai.AsyncOpenAI) -> None:
    streaming = sdk.audio.transcriptions.with_streaming_response
    async with streaming.create(file=a_file(), model="whisper-1", stream=True) as answer:
        lines = [line async for line in answer.iter_lines()]
    assert [line for line in lines if line][-1] == "data: [DONE]"


# ---- translations -------------------------------------------------------------------------

DEPRECATED = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # by OpenAI


@DEPRECATED
@pytest.mark.parametrize("response_format", ["json", "verbose_json"])
async def test_a_translation_has_the_fields_of_the_client(
    sdk: openai.AsyncOpenAI, response_format: Any
) -> None:
    answer = await sdk.audio.translations.create(
        file=a_file(), model="whisper-1", response_format=response_format
    )
    assert answer.text == HEARD


@DEPRECATED
async def test_a_translation_into_a_language_that_is_named(sdk: openai.AsyncOpenAI) -> None:
    answer = await sdk.audio.translations.create(
        file=a_file(), model="whisper-1", extra_body={"target_language": "pt"}
    )
    assert answer.text == TRANSLATED


# ---- speech -------------------------------------------------------------------------------


@pytest.mark.parametrize("voice", VOICES)
async def test_every_voice_of_openais_speaks(sdk: openai.AsyncOpenAI, voice: str) -> None:
    answer = await sdk.audio.speech.create(model="tts-1", voice=voice, input="Hello.")
    assert len(answer.content) > 500


SPOKEN: dict[str, tuple[dict[str, Any], str | None]] = {
    "instructions": ({"instructions": "Speak like a pirate."}, "instructions"),
    "a voice as an object": ({"voice": {"id": "alloy"}}, None),
    "a speed": ({"speed": 1.25}, None),
    "a stream of audio": ({"stream_format": "audio"}, None),
    "a stream of events": ({"stream_format": "sse"}, None),
    "a language, which is ours": ({"extra_body": {"language": "Portuguese"}}, None),
    "a user": ({"extra_body": {"user": "me"}}, "user"),
}


@pytest.mark.parametrize(("asked", "ignored"), SPOKEN.values(), ids=SPOKEN)
async def test_speech_takes_what_is_documented(
    sdk: openai.AsyncOpenAI, asked: dict[str, Any], ignored: str | None
) -> None:
    answer = await sdk.audio.speech.with_raw_response.create(
        **{"model": "tts-1", "voice": "alloy", "input": "Hello.", **asked}
    )
    assert answer.status_code == 200
    assert answer.headers.get("x-ignored-fields") == ignored


# ---- what there is ------------------------------------------------------------------------


async def test_an_alias_is_a_model(sdk: openai.AsyncOpenAI) -> None:
    listed = {model.id async for model in sdk.models.list()}
    assert {"asr", "nmt", "whisper-1", "tts-1"} <= listed
    assert (await sdk.models.retrieve("whisper-1")).id == "whisper-1"


async def test_a_voice_from_a_description_is_refused_in_words(sdk: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="from a description"):
        await sdk.audio.voices.create(type="prompt", name="me", prompt="a calm voice")


async def test_an_unknown_voice_is_still_refused(sdk: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="there is no voice 'nobody'"):
        await sdk.audio.speech.create(model="tts-1", voice="nobody", input="Hello.")
