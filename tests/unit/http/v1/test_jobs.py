"""``/v1/jobs``: created, run, and answered as the endpoints themselves answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.asgi import SPEECH
from tests.support.bad_input import form
from tests.support.jobs import JobServer, job_config, job_server

TRANSCRIBE, TRANSLATE = "/v1/audio/transcriptions", "/v1/speech/translations"
PATHS = {"transcription": TRANSCRIBE, "translation": TRANSLATE}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[JobServer]:
    async with job_server(job_config(tmp_path)) as made:
        yield made


def timeless(body: Any) -> Any:
    """Leave out what differs from one answer to the next."""
    return {name: value for name, value in body.items() if name not in ("id", "timings")}


@pytest.mark.parametrize(
    "response_format", ["json", "text", "srt", "vtt", "verbose_json", "diarized_json"]
)
async def test_a_short_transcription_is_what_the_endpoint_answers(
    server: JobServer, response_format: str
) -> None:
    fields = {"response_format": response_format}
    own = await server.http.post(TRANSCRIBE, **form(SPEECH, **fields))
    result = await server.result(SPEECH, kind="transcription", **fields)
    assert (result.status_code, result.content) == (200, own.content)
    assert result.headers["content-type"] == own.headers["content-type"]


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": "json"},
        {"response_format": "json", "audio_format": "none"},
        {"response_format": "json", "audio_format": "pcm", "include[]": "embedding"},
        {"response_format": "json", "voice": "source"},
    ],
    ids=str,
)
async def test_a_short_translation_is_what_the_endpoint_answers(
    server: JobServer, fields: dict[str, str]
) -> None:
    fields = {"target_language": "pt", **fields}
    own = await server.http.post(TRANSLATE, **form(SPEECH, **fields))
    result = await server.result(SPEECH, **fields)
    assert timeless(result.json()) == timeless(own.json())
    assert result.headers["content-type"] == own.headers["content-type"]
