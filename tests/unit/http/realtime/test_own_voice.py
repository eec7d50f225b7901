"""A live session that speaks in a voice which its caller keeps at the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import InvalidStatus

from deployments.config.live import Live
from deployments.library.sealing import Sealing
from deployments.library.store import Store
from deployments.library.voices import KIND, KeptVoices
from deployments.live.senses import Senses
from deployments.live.sessions import Sessions
from tests.support.live import FakeModels, PassingResampler
from tests.support.realtime import TRANSLATION, Ear, Place, realtime, silence, speech, talking

CLIP = np.full(16_000, 7, np.int16)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, Sealing(None), 1 << 30)


def voice_of(store: Store, owner: str = "") -> str:
    kept = KeptVoices(store.shelf(owner, KIND), None)
    return kept.add("Anna", "cons_1", b"the sample", CLIP).id


@asynccontextmanager
async def place(store: Store) -> AsyncIterator[tuple[Place, FakeModels]]:
    clock = asyncio.get_running_loop()
    models = FakeModels(clock)
    sessions = Sessions(lambda: models, Senses(Ear, PassingResampler), clock, Live())
    async with realtime(sessions=sessions, store=store) as at:
        yield at, models


def asked(voice: str | dict[str, str]) -> dict[str, Any]:
    return {"audio": {"output": {"language": "pt", "voice": voice}}}


@pytest.mark.parametrize("as_object", [False, True], ids=["id", "object"])
async def test_it_speaks_in_the_voice(store: Store, as_object: bool) -> None:
    voice = voice_of(store)
    async with place(store) as (at, models), talking(at.at(TRANSLATION, model="asr")) as talk:
        await talk.send("session.update", session=asked({"id": voice} if as_object else voice))
        await talk.append(speech(1.0))
        await talk.append(silence(0.6))
        await talk.send("session.close")
        await talk.rest()
    assert {name for _, _, name, _ in models.spoken} == {voice}
    for clip in models.references:
        np.testing.assert_array_equal(clip, CLIP)


async def test_the_handshake_may_name_it(store: Store) -> None:
    query = {"model": "asr", "to": "pt", "voice": voice_of(store)}
    async with place(store) as (at, models), talking(at.at(TRANSLATION, **query)) as talk:
        await talk.until("session.created")
    assert models.prepared == {("pt", query["voice"])}


async def test_another_s_voice_is_unknown(store: Store) -> None:
    voice = voice_of(store, "bert")
    async with place(store) as (at, _), talking(at.at(TRANSLATION, model="asr")) as talk:
        await talk.send("session.update", session=asked(voice))
        error = (await talk.until("error"))[-1]["error"]
    assert (error["code"], error["param"]) == ("voice_not_found", "session.audio.output.voice")


async def test_a_handshake_with_another_s_voice_is_refused(store: Store) -> None:
    query = {"model": "asr", "to": "pt", "voice": voice_of(store, "bert")}
    async with place(store) as (at, _):
        with pytest.raises(InvalidStatus) as refused:
            async with talking(at.at(TRANSLATION, **query)):
                pass
    assert refused.value.response.status_code == 404
