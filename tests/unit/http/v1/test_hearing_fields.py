"""What a transcription is told of how speech is heard, down to the items of the recogniser."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from deployments.batching.batch import BatchReply
from deployments.config.schema import ModelConfig
from deployments.graph.listening import WINDOW_VAD
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.http.v1.hearing_fields import MAX_KEYWORDS
from deployments.http.v1.transcript_parts import logprobs_json
from models.types import AsrItem, Segment, VadItem, VadParameters, Word
from tests.support.asgi import SPEECH, connect
from tests.support.bad_input import TRANSCRIBE, heard
from tests.support.local import LocalRemote, fake_config, fake_fleet, fake_remotes


class Noting(LocalRemote):
    """Remembers the items that it was sent."""

    def __init__(self, name: str, config: ModelConfig) -> None:
        super().__init__(name, config)
        self.items: list[Any] = []

    async def infer(self, items: Sequence[Any]) -> BatchReply[Any]:
        self.items += items
        return await super().infer(items)


async def sent(kind: str, form: dict[str, Any]) -> list[Any]:
    """What a model is sent for one request."""
    config = fake_config()
    remotes = fake_remotes(config)
    remotes[kind] = noting = Noting(kind, config.models[kind])
    async with connect(asgi_app(await fake_fleet(config, remotes), config, Admission(8))) as http:
        answer = await http.post(TRANSCRIBE, **form)
    assert answer.status_code == 200, answer.text
    return noting.items


async def asr_item(**fields: str) -> AsrItem:
    item: AsrItem = (await sent("asr", heard(SPEECH, **fields)))[-1]
    return item


async def rules(**fields: str) -> VadParameters:
    item: VadItem = (await sent("vad", heard(SPEECH, **fields)))[0]
    return item.parameters


async def test_keywords_stand_before_the_prompt() -> None:
    fields = {"keywords[]": " there  ARE ", "prompt": "She said:"}  # as the fake says
    (item,) = await sent("asr", heard(SPEECH, **fields))
    assert item.prompt == "there ARE. She said:"


async def test_keywords_alone_are_a_list() -> None:
    words = [("keywords[]", (None, word)) for word in ("Dragoman", "samples", "Dragoman")]
    (item,) = await sent("asr", {"files": [("file", ("a.wav", SPEECH)), *words]})
    assert item.prompt == "Dragoman, samples"


async def test_where_no_keyword_is_said_none_is_told() -> None:
    fields = {"keywords[]": "Dragoman", "prompt": "She said:"}
    first, second = await sent("asr", heard(SPEECH, **fields))
    assert (first.prompt, second.prompt) == ("Dragoman. She said:", "She said:")


async def test_more_keywords_than_the_prompt_holds_are_refused(http: httpx.AsyncClient) -> None:
    words = [("keywords[]", (None, "a")) for _ in range(MAX_KEYWORDS + 1)]
    answer = await http.post(TRANSCRIBE, files=[("file", ("a.wav", SPEECH)), *words])
    error = answer.json()["error"]
    assert (error["param"], answer.status_code) == ("keywords[]", 400)
    assert "at most 100 keywords" in error["message"]


OBJECT = {"type": "server_vad", "threshold": 0.3, "silence_duration_ms": 700}
CHUNKED = VadParameters(
    threshold=0.3,
    min_silence_s=0.7,
    padding_s=WINDOW_VAD.padding_s,
    max_speech_s=WINDOW_VAD.max_speech_s,
)
CHUNKING: dict[str, tuple[dict[str, str], VadParameters]] = {
    "left out": ({}, WINDOW_VAD),
    "auto": ({"chunking_strategy": "auto"}, WINDOW_VAD),
    "fields of a form": (
        {f"chunking_strategy[{name}]": str(value) for name, value in OBJECT.items()},
        CHUNKED,
    ),
    "an object in JSON": ({"chunking_strategy": json.dumps(OBJECT)}, CHUNKED),
}


@pytest.mark.parametrize(("fields", "expected"), CHUNKING.values(), ids=CHUNKING)
async def test_the_chunking_says_how_speech_is_found(
    fields: dict[str, str], expected: VadParameters
) -> None:
    assert await rules(**fields) == expected


async def test_the_padding_is_on_both_sides() -> None:
    fields = {"chunking_strategy[type]": "server_vad", "chunking_strategy[prefix_padding_ms]": "50"}
    assert (await rules(**fields)).padding_s == 0.05


async def test_one_candidate_is_the_language() -> None:
    assert (await asr_item(**{"languages[]": "Portuguese"})).language == "pt"


async def test_a_language_of_the_candidates_is_heard() -> None:
    candidates = [("languages[]", (None, code)) for code in ("fr", "pt")]
    form = {"files": [("file", ("a.wav", SPEECH)), *candidates]}
    *_, item = await sent("asr", form)
    assert item.language == "pt"  # the fake hears en, then pt


async def test_logprobs_ask_for_words(http: httpx.AsyncClient) -> None:
    assert (await asr_item(**{"include[]": "logprobs"})).word_timestamps
    answer = await http.post(TRANSCRIBE, **heard(SPEECH, **{"include[]": "logprobs"}))
    told = [entry["token"] for entry in answer.json()["logprobs"]]
    assert "".join(told).split() == answer.json()["text"].split()


def test_a_logprob_is_of_a_word() -> None:
    words = (Word(0.0, 0.4, " Olá", 0.5), Word(0.4, 0.5, "!", 0.0))
    segment = Segment(0.0, 0.5, "Olá!", (), 0.0, -0.1, 1.0, 0.0, words)
    first, second = logprobs_json([segment])
    assert first == {"token": " Olá", "bytes": [32, 79, 108, 195, 161], "logprob": -0.6931}
    assert second["logprob"] == pytest.approx(-20.7, abs=0.1)


@pytest.mark.parametrize("response_format", ["json", "diarized_json"])
async def test_a_candidate_that_is_not_known_is_blamed(
    http: httpx.AsyncClient, response_format: str
) -> None:
    fields = {"languages[]": "de", "response_format": response_format}
    answer = await http.post(TRANSCRIBE, **heard(SPEECH, **fields))
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "languages[]")
