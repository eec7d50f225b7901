"""``diarized_json`` of ``POST /v1/audio/transcriptions``, on fakes.

The fake speaker's voice is the level of a clip.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest

from deployments.config.schema import AppConfig, ModelConfig
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from tests.support.asgi import FRAME, SILENCE, SPEECH, connect
from tests.support.bad_input import TRANSCRIBE, data_url, wav
from tests.support.events import events_of
from tests.support.fakes import WORDY_ASR
from tests.support.local import fake_config, fake_fleet, fake_remotes

ANN, BOB = 700, 900
TOLD = ("response_format", (None, "diarized_json"))
NAMES, CLIPS = "known_speaker_names[]", "known_speaker_references[]"


def spoken(*levels: int) -> bytes:
    """A file of about 2 s of speech at each level; 0 is a pause."""
    return wav(np.repeat(np.array([0, *levels, 0], np.int16), 64 * FRAME))


def known(*people: tuple[str, int]) -> list[Any]:
    return [
        part
        for name, level in people
        for part in (
            (NAMES, (None, name)),
            (CLIPS, (None, data_url(wav(np.full(48_000, level, np.int16))))),
        )
    ]


def wordy() -> AppConfig:
    config = fake_config()
    return config.model_copy(
        update={"models": {**config.models, "asr": ModelConfig(engine=WORDY_ASR)}}
    )


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    config = wordy()
    async with connect(asgi_app(await fake_fleet(config), config, Admission(8))) as client:
        yield client


async def diarized(http: httpx.AsyncClient, data: bytes, *parts: Any) -> dict[str, Any]:
    answer = await http.post(TRANSCRIBE, files=[("file", ("a.wav", data)), TOLD, *parts])
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_each_speaker_has_what_they_say(http: httpx.AsyncClient) -> None:
    answer = await diarized(http, spoken(ANN, 0, BOB, 0, ANN))
    assert [each["speaker"] for each in answer["segments"]] == ["A", "B", "A"]
    assert " ".join(each["text"] for each in answer["segments"]) == answer["text"]


async def test_the_answer_is_openais(http: httpx.AsyncClient) -> None:
    answer = await diarized(http, spoken(ANN, 0, BOB))
    first = answer["segments"][0]
    assert set(answer) == {"task", "duration", "text", "segments", "usage"}
    assert set(first) == {"type", "id", "start", "end", "speaker", "text"}
    assert answer["usage"] == {"type": "duration", "seconds": answer["duration"]}
    ids = [each["id"] for each in answer["segments"]]
    assert len(ids) == len(set(ids))


async def test_times_count_from_the_start_of_the_recording(http: httpx.AsyncClient) -> None:
    first, second = (await diarized(http, spoken(ANN, 0, BOB)))["segments"]
    assert 2.0 <= first["start"] < first["end"] <= second["start"] < second["end"] <= 8.3


async def test_a_known_speaker_has_their_name(http: httpx.AsyncClient) -> None:
    answer = await diarized(http, spoken(ANN, 0, BOB), *known(("Bob", BOB)))
    assert [each["speaker"] for each in answer["segments"]] == ["A", "Bob"]


async def test_a_known_speaker_who_is_not_there_changes_nothing(http: httpx.AsyncClient) -> None:
    answer = await diarized(http, spoken(ANN), *known(("Bob", BOB)))
    assert {each["speaker"] for each in answer["segments"]} == {"A"}


async def test_a_letter_that_is_a_known_name_is_nobody_elses(http: httpx.AsyncClient) -> None:
    answer = await diarized(http, spoken(ANN, 0, BOB), *known(("A", BOB)))
    assert [each["speaker"] for each in answer["segments"]] == ["B", "A"]


async def test_silence_has_no_segments(http: httpx.AsyncClient) -> None:
    answer = await diarized(http, SILENCE)
    assert (answer["text"], answer["segments"]) == ("", [])


async def test_a_server_without_a_speaker_model_says_so() -> None:
    config = wordy()
    models = {name: model for name, model in config.models.items() if name != "speaker"}
    config = config.model_copy(update={"models": models})
    async with connect(asgi_app(await fake_fleet(config), config, Admission(8))) as http:
        answer = await http.post(TRANSCRIBE, files=[("file", ("a.wav", SPEECH)), TOLD])
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "response_format")
    assert "needs a speaker model" in error["message"]


async def test_pieces_of_a_recording_are_embedded_together() -> None:
    config = wordy()
    remotes = fake_remotes(config)
    fleet = await fake_fleet(config, remotes)
    async with connect(asgi_app(fleet, config, Admission(8))) as http:
        await diarized(http, wav(np.full(16_000 * 12, ANN, np.int16)))
    assert sum(remotes["speaker"].batches) > 20
    assert max(remotes["speaker"].batches) > 1


async def test_the_recording_is_listened_to_once() -> None:
    config = wordy()
    remotes = fake_remotes(config)
    async with connect(asgi_app(await fake_fleet(config, remotes), config, Admission(8))) as http:
        await diarized(http, spoken(ANN, 0, BOB))
    assert sum(remotes["vad"].batches) == 1


async def test_a_stream_has_every_segment_and_then_the_text(http: httpx.AsyncClient) -> None:
    data = spoken(ANN, 0, BOB)
    whole = await diarized(http, data)
    parts: list[Any] = [("file", ("a.wav", data)), TOLD, ("stream", (None, "true"))]
    answer = await http.post(TRANSCRIBE, files=parts)
    *segments, done = events_of(answer.text)
    assert segments == whole["segments"]
    assert (done["type"], done["text"]) == ("transcript.text.done", whole["text"])
    assert done["usage"] == whole["usage"]


# ---- known speakers that are refused ------------------------------------------------------


@pytest.fixture(scope="module")
def clip() -> str:
    return clip_of(3)


def clip_of(length_s: int) -> str:
    return data_url(wav(np.full(16_000 * length_s, ANN, np.int16)))


WRONG: dict[str, tuple[list[str], list[str], int, str, str]] = {
    "a name without a clip": (["Ann"], [], 400, CLIPS, "one clip for each"),
    "a clip without a name": ([], ["ok"], 400, CLIPS, "one clip for each"),
    "a name twice": (["Ann", "Ann"], ["ok", "ok"], 400, NAMES, "twice"),
    "a name without an end": (["A" * 65], ["ok"], 400, NAMES, "64"),
    "a name of two lines": (["A\nB"], ["ok"], 400, NAMES, "printable"),
    "many names": ([str(n) for n in range(11)], ["ok"] * 11, 400, NAMES, "at most 10"),
    "many clips": (["Ann"], ["ok"] * 11, 400, CLIPS, "at most 10"),
    "an address for a clip": (["Ann"], ["https://example.com/a"], 400, CLIPS, "data URLs"),
    "no base64": (["Ann"], ["data:audio/wav;base64,*"], 400, CLIPS, "base64"),
    "no audio": (["Ann"], [data_url(b"no audio " * 99)], 415, CLIPS, "no audio"),
    "an empty clip": (["Ann"], [data_url(b"")], 400, CLIPS, "empty"),
    "a short clip": (["Ann"], [clip_of(1)], 400, CLIPS, "2 to 10 s"),
    "a long clip": (["Ann"], [clip_of(12)], 413, CLIPS, "2 to 10 s"),
    "a clip of silence": (
        ["Ann"],
        [data_url(wav(np.zeros(48_000, np.int16)))],
        400,
        CLIPS,
        "nobody",
    ),
    "a huge clip": (["Ann"], [clip_of(1) + "A" * 3_000_000], 400, CLIPS, "at most 3000000"),
}


@pytest.mark.parametrize(("names", "clips", "status", "param", "says"), WRONG.values(), ids=WRONG)
async def test_wrong_known_speakers_name_the_field(
    http: httpx.AsyncClient,
    clip: str,
    names: list[str],
    clips: list[str],
    status: int,
    param: str,
    says: str,
) -> None:
    parts: list[Any] = [("file", ("a.wav", SPEECH)), TOLD]
    parts += [(NAMES, (None, name)) for name in names]
    parts += [(CLIPS, (None, clip if each == "ok" else each)) for each in clips]
    answer = await http.post(TRANSCRIBE, files=parts)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, param)
    assert says in error["message"]


async def test_known_speakers_need_the_format(http: httpx.AsyncClient) -> None:
    parts: list[Any] = [("file", ("a.wav", SPEECH)), *known(("Ann", ANN))]
    error = (await http.post(TRANSCRIBE, files=parts)).json()["error"]
    assert (error["param"], "needs response_format" in error["message"]) == (NAMES, True)
