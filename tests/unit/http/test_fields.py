"""How requests may be written: languages, lists, empty and unknown fields, on every endpoint."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import model_validator
from starlette.requests import Request

from deployments.config.schema import Limits
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.http.parsing import (
    LONG_BYTES,
    MAX_IGNORED,
    MAX_IGNORED_CHARS,
    Fields,
    json_fields,
)
from tests.support.asgi import HEARD, SPEECH, connect
from tests.support.bad_input import SPEAK, TEXT, TEXT_OK, TRANSCRIBE, TRANSLATE
from tests.support.local import fake_config, fake_fleet


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    config = fake_config()
    async with connect(asgi_app(await fake_fleet(config), config, Admission(8))) as client:
        yield client


async def send(http: httpx.AsyncClient, path: str, *fields: tuple[str, str]) -> httpx.Response:
    """A form of a file and fields, of which a name may stand more than once."""
    parts: list[Any] = [("file", ("a.wav", SPEECH))]
    return await http.post(path, files=parts + [(name, (None, value)) for name, value in fields])


# ---- languages ----------------------------------------------------------------------------

SPELLED = ["en", "EN", "en-US", "en_GB", "English", "eng"]


@pytest.mark.parametrize("language", [*SPELLED, "", "auto"])
async def test_a_transcription_takes_any_spelling(http: httpx.AsyncClient, language: str) -> None:
    answer = await send(http, TRANSCRIBE, ("language", language))
    assert answer.json()["text"] == HEARD


@pytest.mark.parametrize("language", [*SPELLED, "", "auto"])
async def test_translated_speech_takes_any_spelling(http: httpx.AsyncClient, language: str) -> None:
    fields = [("source_language", language), ("target_language", "pt-BR"), ("audio_format", "none")]
    answer = (await send(http, TRANSLATE, *fields)).json()
    assert (answer["transcript"]["language"], answer["translation"]["language"]) == ("en", "pt")


@pytest.mark.parametrize("language", SPELLED)
async def test_a_text_takes_any_spelling(http: httpx.AsyncClient, language: str) -> None:
    body = {**TEXT_OK, "source_language": language, "target_language": "Português"}
    (row,) = (await http.post(TEXT, json=body)).json()["translations"]
    assert (row["source_language"], row["target_language"]) == ("en", "pt")


@pytest.mark.parametrize("language", [*SPELLED, "", "auto", None])
async def test_spoken_text_takes_any_spelling(
    http: httpx.AsyncClient, language: str | None
) -> None:
    body = {"input": "Hello.", "voice": "fake-en", "language": language}
    assert (await http.post(SPEAK, json=body)).status_code == 200


@pytest.mark.parametrize("language", SPELLED)
async def test_a_tensor_takes_any_spelling(http: httpx.AsyncClient, language: str) -> None:
    texts = {"TEXT": "Hello.", "SOURCE_LANGUAGE": language, "TARGET_LANGUAGE": "pt_PT"}
    inputs = [
        {"name": name, "datatype": "BYTES", "shape": [1, 1], "data": [text]}
        for name, text in texts.items()
    ]
    answer = await http.post("/v2/models/nmt/infer", json={"inputs": inputs})
    assert answer.json()["outputs"][0]["data"] == ["pt: Hello."]


# ---- lists and empty fields ---------------------------------------------------------------

VERBOSE = ("response_format", "verbose_json")
LISTS: dict[str, list[tuple[str, str]]] = {
    "brackets": [("timestamp_granularities[]", "word")],
    "no brackets": [("timestamp_granularities", "word")],
    "twice": [("timestamp_granularities", "segment"), ("timestamp_granularities", "word")],
    "brackets twice": [("timestamp_granularities[]", g) for g in ("word", "segment")],
    "numbers": [("timestamp_granularities[0]", "segment"), ("timestamp_granularities[1]", "word")],
    "commas": [("timestamp_granularities", "segment, word")],
    "JSON": [("timestamp_granularities", '["word", "segment"]')],
    "both names": [("timestamp_granularities", "word"), ("timestamp_granularities[]", "segment")],
}


@pytest.mark.parametrize("fields", LISTS.values(), ids=LISTS)
async def test_a_list_may_be_written_in_every_way(
    http: httpx.AsyncClient, fields: list[tuple[str, str]]
) -> None:
    answer = await send(http, TRANSCRIBE, VERBOSE, *fields)
    assert "words" in answer.json()
    assert "x-ignored-fields" not in answer.headers


async def test_our_own_lists_are_written_alike(http: httpx.AsyncClient) -> None:
    fields = [("target_language", "pt"), ("audio_format", "none"), ("include", "embedding")]
    assert len((await send(http, TRANSLATE, *fields)).json()["embedding"]) == 192


@pytest.mark.parametrize(
    "name",
    [
        *("prompt", "temperature", "response_format", "language", "model", "stream", "include[]"),
        *("timestamp_granularities[]", "known_speaker_names[]"),
    ],
)
async def test_an_empty_field_was_left_out(http: httpx.AsyncClient, name: str) -> None:
    answer = await send(http, TRANSCRIBE, (name, ""))
    assert answer.json()["text"] == HEARD


@pytest.mark.parametrize("name", ["model", "language", "speed", "response_format", "stream_format"])
async def test_a_null_was_left_out(http: httpx.AsyncClient, name: str) -> None:
    body = {"input": "Hello.", "voice": "fake-en", name: None}
    assert (await http.post(SPEAK, json=body)).status_code == 200


# ---- unknown fields -----------------------------------------------------------------------


async def test_a_header_names_what_was_ignored(http: httpx.AsyncClient) -> None:
    fields = [("user", "me"), ("vad_options[type]", "silero"), ("vad", "1")]
    answer = await send(http, TRANSCRIBE, *fields, ("vad_options[threshold]", "0.5"))
    assert answer.headers["x-ignored-fields"] == "user, vad_options, vad"


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "the end of a line": ({"a\r\nset-cookie: b": 1}, "a??set-cookie??b"),
    "no ASCII": ({"é\N{SNOWMAN}": 1}, "??"),
    "half a surrogate pair": ({"\ud800": 1}, "?"),
    "no name": ({"": 1}, "?"),
    "a comma": ({"a,b": 1}, "a?b"),
    "a long name": ({"a" * 5000: 1}, "a" * MAX_IGNORED_CHARS),
    "many names": (
        {f"f{number}": 1 for number in range(500)},
        ", ".join([*(f"f{number}" for number in range(MAX_IGNORED)), "..."]),
    ),
}


@pytest.mark.parametrize(("fields", "told"), HOSTILE.values(), ids=HOSTILE)
async def test_what_is_told_is_bounded_and_printable(
    http: httpx.AsyncClient, fields: dict[str, Any], told: str
) -> None:
    body = json.dumps({"input": "Hello.", "voice": "fake-en", **fields})
    answer = await http.post(SPEAK, content=body)
    assert answer.status_code == 200
    assert answer.headers["x-ignored-fields"] == told


async def test_a_stream_names_what_was_ignored_too(http: httpx.AsyncClient) -> None:
    body = {"input": "Hello. You.", "voice": "fake-en", "instructions": "Softly."}
    answer = await http.post(SPEAK, json=body)
    assert answer.headers["x-ignored-fields"] == "instructions"


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
async def test_nothing_between_holds_a_stream_back(
    http: httpx.AsyncClient, stream_format: str
) -> None:
    body = {"input": "Hello. You.", "voice": "fake-en", "stream_format": stream_format}
    headers = (await http.post(SPEAK, json=body)).headers
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-cache", "no")


class _Threads(Fields):
    text: str
    thread: str = ""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**values, "thread": threading.current_thread().name}


@pytest.mark.parametrize(
    ("size_bytes", "is_beside"), [(10, False), (2 * LONG_BYTES, True)], ids=["short", "long"]
)
async def test_long_fields_are_read_beside_the_event_loop(size_bytes: int, is_beside: bool) -> None:
    sent = json.dumps({"text": "x" * size_bytes}).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": sent}

    request = Request({"type": "http", "headers": []}, receive)
    read = await json_fields(request, _Threads, Limits())
    assert (read.thread != threading.current_thread().name) is is_beside
