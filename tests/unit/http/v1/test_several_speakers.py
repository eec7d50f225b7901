"""A recording of several speakers, each of whom is spoken for in the own voice."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from tests.support.asgi import translate
from tests.support.voices import ANNA, BERT, keeping, keeping_config, speech_of


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    config = keeping_config(asr="tests.support.fakes:FakeAsr")
    async with await keeping(None, config) as client:
        yield client


def levels_of(answer: dict[str, Any]) -> list[int]:
    """The levels at which the fake speaks, in order: those of the voices that it is given."""
    samples, _ = soundfile.read(
        io.BytesIO(base64.b64decode(answer["audio"]["data"])), dtype="int16"
    )
    changes = np.flatnonzero(np.diff(samples, prepend=0))
    return [int(samples[at]) for at in changes if samples[at]]


async def test_each_speaks_in_the_own_voice(http: httpx.AsyncClient) -> None:
    answer = (await translate(http, speech_of(ANNA, BERT), voice="source")).json()
    assert [sentence["speaker"] for sentence in answer["segments"]] == ["A", "A", "B", "B"]
    assert levels_of(answer) == [ANNA, ANNA, BERT, BERT]


async def test_the_likeness_of_each_is_told(http: httpx.AsyncClient) -> None:
    answer = (await translate(http, speech_of(ANNA, BERT), voice="source")).json()
    assert [row["speaker"] for row in answer["speakers"]] == ["A", "B"]
    assert [row["voice_similarity"] for row in answer["speakers"]] == [1.0, 1.0]
    assert all(row["seconds"] == pytest.approx(4.0, abs=0.1) for row in answer["speakers"])
    assert answer["voice_similarity"] is None


async def test_one_speaker_is_spoken_for_as_ever(http: httpx.AsyncClient) -> None:
    answer = (await translate(http, speech_of(ANNA), voice="source")).json()
    assert set(levels_of(answer)) == {ANNA}
    assert answer["voice_similarity"] == 1.0
    ((speaker, similarity),) = [(r["speaker"], r["voice_similarity"]) for r in answer["speakers"]]
    assert (speaker, similarity) == ("A", 1.0)


async def test_who_has_little_to_say_is_spoken_for_too(http: httpx.AsyncClient) -> None:
    data = speech_of(ANNA, BERT, each_s=1.3)
    answer = (await translate(http, data, voice="source")).json()
    assert levels_of(answer) == [ANNA, BERT]


async def test_nobody_is_told_apart_for_another_voice(http: httpx.AsyncClient) -> None:
    answer = (await translate(http, speech_of(ANNA, BERT), voice="fake-pt")).json()
    assert "speakers" not in answer
    assert all("speaker" not in sentence for sentence in answer["segments"])
