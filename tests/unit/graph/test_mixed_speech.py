"""Speech of several languages, doubtful speech and open sentences, through the graph over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
import pytest

from deployments.batching.batch import BatchReply
from deployments.config.schema import ModelConfig
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from models.types import (
    SAMPLE_RATE_HZ,
    AsrItem,
    Segment,
    SpeechSpan,
    Transcript,
    VadItem,
    VadResult,
)
from tests.support.bad_input import TRANSCRIBE, TRANSLATE, form, wav
from tests.support.local import LocalRemote, fake_config, fake_fleet, fake_remotes

SPOKEN_S = 1.2  # of a window: as long as its text takes
SPOKEN = round(SPOKEN_S * SAMPLE_RATE_HZ)
NO_STATE = np.zeros(0, np.float32)
Said = tuple[str, str, float]  # language, text, avg_logprob


class Hearing(LocalRemote):
    """Says what it is told, a window a call; each window is a level of the samples."""

    def __init__(self, name: str, config: ModelConfig, windows: Sequence[Sequence[Said]]) -> None:
        super().__init__(name, config)
        self._windows = windows

    async def infer(self, items: Sequence[AsrItem]) -> BatchReply[Any]:
        return BatchReply([self._heard(item) for item in items], 0.001)

    def _heard(self, item: AsrItem) -> Transcript:
        said = self._windows[int(item.samples.max()) // 1000 - 1]
        language = said[0][0] if said else "und"
        if item.task == "detect":
            return Transcript("", language, 0.99, (), ((language, 0.99),))
        step_s = item.length / max(1, len(said))
        segments = tuple(
            Segment(
                n * step_s, (n + 1) * step_s, text, (1, 2), 0.0, logprob, 1.2, 0.1, language=spoken
            )
            for n, (spoken, text, logprob) in enumerate(said)
        )
        return Transcript(" ".join(text for _, text, _ in said), language, 0.99, segments)


class Detecting(LocalRemote):
    """Finds each stretch of sound, where silence is exact."""

    async def infer(self, items: Sequence[VadItem]) -> BatchReply[Any]:
        return BatchReply([self._found(item) for item in items], 0.001)

    def _found(self, item: VadItem) -> VadResult:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], item.samples != 0, [0]])))
        pairs = edges.reshape(-1, 2) / SAMPLE_RATE_HZ
        spans = tuple(SpeechSpan(float(start_s), float(end_s)) for start_s, end_s in pairs)
        return VadResult(spans, np.ones(len(item.samples) // 512, np.float32), NO_STATE)


def speech(windows: int) -> bytes:
    """Seconds of sound at a level of their own, with a second of silence between."""
    parts = [
        np.concatenate([np.full(SPOKEN, 1000 * (n + 1)), np.zeros(SAMPLE_RATE_HZ)])
        for n in range(windows)
    ]
    return wav(np.concatenate(parts).astype(np.int16))


async def ask(path: str, *windows: Sequence[Said], **fields: str) -> httpx.Response:
    config = fake_config()
    remotes = fake_remotes(config)
    remotes["vad"] = Detecting("vad", config.models["vad"])
    remotes["asr"] = Hearing("asr", config.models["asr"], windows)
    app = asgi_app(await fake_fleet(config, remotes), config, Admission(64))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        return await http.post(path, **form(speech(len(windows)), **fields))


async def translated(*windows: Sequence[Said], **fields: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await ask(TRANSLATE, *windows, **fields)).json()
    return answer


ENGLISH = ("en", "Good morning.", -0.2)
FRENCH = ("fr", "Bonjour à tous.", -0.2)
PORTUGUESE = ("pt", "Bom dia a todos.", -0.2)
UNSURE = ("en", "Flea grub the sows.", -1.3)


async def test_what_no_model_translates_is_passed_on() -> None:
    answer = await translated([ENGLISH], [FRENCH], [ENGLISH])
    texts = [segment["translation"] for segment in answer["segments"]]
    assert texts == ["pt: Good morning.", "Bonjour à tous.", "pt: Good morning."]


async def test_what_is_passed_on_says_so() -> None:
    answer = await translated([ENGLISH], [FRENCH])
    first, second = answer["segments"]
    codes = [[w["code"] for w in each["warnings"]] for each in (first, second, answer)]
    assert codes == [[], ["untranslated"], ["untranslated"]]


async def test_what_is_passed_on_is_heard_as_it_was_said() -> None:
    apart, both = await translated([ENGLISH]), await translated([ENGLISH], [FRENCH])
    longer_s = both["audio"]["duration_s"] - apart["audio"]["duration_s"]
    assert longer_s == pytest.approx(SPOKEN_S + 0.2, abs=0.3)  # its own time, and the pause


async def test_speech_in_the_language_that_is_asked_for_is_passed_on() -> None:
    answer = await translated([ENGLISH], [PORTUGUESE])
    assert answer["translation"]["text"] == "pt: Good morning. Bom dia a todos."


async def test_a_recording_that_nothing_translates_is_refused() -> None:
    response = await ask(TRANSLATE, [FRENCH], [FRENCH])
    assert response.status_code == 422
    assert "no model translates fr to pt" in response.json()["error"]["message"]


async def test_each_segment_names_its_language() -> None:
    answer = await translated([ENGLISH], [FRENCH])
    assert [segment["language"] for segment in answer["segments"]] == ["en", "fr"]


async def test_the_language_of_the_whole_is_the_one_most_is_said_in() -> None:
    answer = await translated([FRENCH], [ENGLISH], [ENGLISH])
    assert answer["transcript"]["language"] == "en"


async def test_doubtful_speech_says_so() -> None:
    answer = await translated([ENGLISH], [UNSURE])
    codes = [[w["code"] for w in segment["warnings"]] for segment in answer["segments"]]
    assert codes[-1] == ["unsure_text"]


async def test_segments_say_how_sure_they_are() -> None:
    answer = await translated([UNSURE])
    (segment,) = answer["segments"]
    assert (segment["avg_logprob"], segment["no_speech_prob"]) == (-1.3, 0.1)


@pytest.mark.parametrize("response_format", ["json", "verbose_json"])
async def test_a_transcript_tells_its_warnings(response_format: str) -> None:
    response = await ask(TRANSCRIBE, [UNSURE], response_format=response_format)
    assert [w["code"] for w in response.json()["warnings"]] == ["unsure_text"]
    assert response.headers["x-warnings"] == "unsure_text"


async def test_a_sure_transcript_has_no_warnings() -> None:
    response = await ask(TRANSCRIBE, [ENGLISH], response_format="verbose_json")
    assert "warnings" not in response.json()
    assert "x-warnings" not in response.headers


async def test_the_texts_of_segments_join_to_the_text() -> None:
    response = await ask(TRANSCRIBE, [ENGLISH, FRENCH], response_format="verbose_json")
    body = response.json()
    assert "".join(segment["text"] for segment in body["segments"]).strip() == body["text"]
