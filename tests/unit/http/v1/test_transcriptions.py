"""``POST /v1/audio/transcriptions``, on fakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from deployments.batching.batch import BatchReply
from deployments.config.schema import ModelConfig
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from tests.support.asgi import (
    HEARD,
    SPEECH,
    connect,
)
from tests.support.bad_input import TRANSCRIBE
from tests.support.local import LocalRemote, fake_config, fake_fleet, fake_remotes


async def transcribe(http: httpx.AsyncClient, **fields: str) -> httpx.Response:
    parts: dict[str, Any] = {name: (None, value) for name, value in fields.items()}
    return await http.post(TRANSCRIBE, files={"file": ("a.wav", SPEECH), **parts})


async def test_transcription_json_is_openais(http: httpx.AsyncClient) -> None:
    answer = (await transcribe(http, model="whisper-1")).json()
    assert answer == {
        "text": HEARD,
        "languages": [{"code": "en"}],
        "usage": {"type": "duration", "seconds": 2.0},
    }


async def test_transcription_text_is_bare(http: httpx.AsyncClient) -> None:
    assert (await transcribe(http, response_format="text")).text == HEARD + "\n"


async def test_verbose_transcription_has_segments(http: httpx.AsyncClient) -> None:
    answer = (await transcribe(http, response_format="verbose_json")).json()
    assert (answer["language"], answer["duration"]) == ("en", 2.0)
    assert answer["segments"][0]["start"] == pytest.approx(0.5)


class Noting(LocalRemote):
    """Remembers the items that it was sent."""

    def __init__(self, name: str, config: ModelConfig) -> None:
        super().__init__(name, config)
        self.items: list[Any] = []

    async def infer(self, items: Sequence[Any]) -> BatchReply[Any]:
        self.items += items
        return await super().infer(items)


async def heard_item(**fields: str) -> Any:
    """What the ASR model is sent for one request."""
    config = fake_config()
    remotes = fake_remotes(config)
    remotes["asr"] = asr = Noting("asr", config.models["asr"])
    async with connect(asgi_app(await fake_fleet(config, remotes), config, Admission(64))) as http:
        await transcribe(http, **fields)
    (item,) = asr.items
    return item


@pytest.mark.parametrize("response_format", ["json", "text", "verbose_json", "srt", "vtt"])
async def test_every_format_is_decoded_with_times(response_format: str) -> None:
    assert (await heard_item(response_format=response_format)).timestamps


@pytest.mark.parametrize(
    ("response_format", "words"),
    [("json", False), ("text", False), ("verbose_json", False), ("srt", True), ("vtt", True)],
)
async def test_words_are_timed_where_the_format_cuts_between_them(
    response_format: str, words: bool
) -> None:
    assert (await heard_item(response_format=response_format)).word_timestamps == words
