"""``POST /v1/audio/translations``, on fakes: by the recogniser itself, or through the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from deployments.batching.batch import BatchReply
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from models.types import AsrItem
from tests.support.asgi import HEARD, SPEECH, TRANSLATED, connect
from tests.support.bad_input import AUDIO_TRANSLATE, heard
from tests.support.local import LocalRemote, fake_config, fake_fleet, fake_remotes


async def ask(http: httpx.AsyncClient, **fields: str) -> httpx.Response:
    answer = await http.post(AUDIO_TRANSLATE, **heard(SPEECH, **fields))
    assert answer.status_code == 200, answer.text
    return answer


async def test_english_is_the_recogniser_s_own(http: httpx.AsyncClient) -> None:
    answer = await ask(http, model="whisper-1")
    assert answer.json() == {
        "text": HEARD,
        "languages": [{"code": "en"}],
        "translated_by": ["asr"],
        "pivot": None,
        "usage": {"type": "duration", "seconds": 2.0},
    }
    assert answer.headers["x-translated-by"] == "asr"


async def test_a_target_goes_through_the_graph(http: httpx.AsyncClient) -> None:
    answer = await ask(http, target_language="Portuguese")
    body = answer.json()
    assert (body["text"], body["translated_by"]) == (TRANSLATED, ["nmt"])
    assert answer.headers["x-translated-by"] == "nmt"


async def test_a_pivot_is_told(http: httpx.AsyncClient) -> None:
    answer = await ask(http, target_language="fr", language="pt")
    assert (answer.json()["pivot"], answer.headers["x-pivot-language"]) == ("en", "en")


ROUTES = [
    pytest.param({}, HEARD, "en", id="by-the-recogniser"),
    pytest.param({"target_language": "pt"}, TRANSLATED, "pt", id="through-the-graph"),
]


@pytest.mark.parametrize(("fields", "text", "language"), ROUTES)
async def test_verbose_segments_are_openais(
    http: httpx.AsyncClient, fields: dict[str, str], text: str, language: str
) -> None:
    body = (await ask(http, response_format="verbose_json", **fields)).json()
    assert (body["task"], body["language"], body["duration"]) == ("translate", language, 2.0)
    assert "".join(segment["text"] for segment in body["segments"]).split() == text.split()
    assert body["segments"][0]["start"] == pytest.approx(0.5, abs=0.01)
    assert body["segments"][-1]["end"] == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize(("fields", "text", "language"), ROUTES)
async def test_a_text_is_bare(
    http: httpx.AsyncClient, fields: dict[str, str], text: str, language: str
) -> None:
    assert (await ask(http, response_format="text", **fields)).text == text + "\n"


@pytest.mark.parametrize(
    ("subtitle_format", "begins"),
    [("srt", "1\n00:00:00,500 --> "), ("vtt", "WEBVTT\n\n00:00:00.500 --> ")],
)
@pytest.mark.parametrize(("fields", "text", "language"), ROUTES)
async def test_subtitles_keep_the_times(
    http: httpx.AsyncClient,
    fields: dict[str, str],
    text: str,
    language: str,
    subtitle_format: str,
    begins: str,
) -> None:
    answer = (await ask(http, response_format=subtitle_format, **fields)).text
    assert answer.startswith(begins)
    assert text.split()[-1] in answer


@pytest.mark.parametrize(
    ("fields", "task"),
    [
        pytest.param({}, "translate", id="by-the-recogniser"),
        pytest.param({"target_language": "pt"}, "transcribe", id="through-the-graph"),
    ],
)
async def test_the_prompt_and_the_temperature_reach_the_recogniser(
    fields: dict[str, str], task: str
) -> None:
    items: list[AsrItem] = []

    class Noting(LocalRemote):
        async def infer(self, batch: Sequence[Any]) -> BatchReply[Any]:
            items.extend(batch)
            return await super().infer(batch)

    config = fake_config()
    remotes = fake_remotes(config)
    remotes["asr"] = Noting("asr", config.models["asr"])
    async with connect(asgi_app(await fake_fleet(config, remotes), config, Admission(8))) as http:
        await ask(http, prompt="She said:", temperature="0.4", **fields)
    (item,) = items
    assert (item.task, item.prompt, item.temperature) == (task, "She said:", 0.4)


async def test_what_changes_nothing_is_named(http: httpx.AsyncClient) -> None:
    assert (await ask(http, user="me")).headers["x-ignored-fields"] == "user"
