"""A session's door to the models: resolved once, first in the queues, one caller of many items."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deployments.batching.live import LIVE, UPDATE
from deployments.catalogue.selection import Fleet
from deployments.graph.stages import StageRunner
from deployments.graph.synthesis import Synthesiser
from deployments.live.events import Closed
from deployments.live.fleet_sessions import sessions_of
from deployments.live.graph_models import GraphModels
from deployments.live.models import Begun
from deployments.live.options import LiveOptions
from models.errors import (
    DragomanError,
    InternalError,
    Unavailable,
    UnknownLanguage,
    UnknownVoice,
    Unprocessable,
    UnsupportedPair,
)
from models.types import AsrItem, NmtItem
from tests.support.local import LocalDirectory, fake_config, fake_fleet, fake_remotes
from tests.support.sockets import until

SOUND = np.full(16_000, 7, np.int16)
TO_PT = LiveOptions(targets=("pt",), speaks=True)


@pytest.fixture
def remotes() -> LocalDirectory:
    return fake_remotes(fake_config())


@pytest.fixture
async def fleet(remotes: LocalDirectory) -> Fleet:
    return await fake_fleet(fake_config(), remotes)


def door(fleet: Fleet, options: LiveOptions | None = TO_PT) -> GraphModels:
    stages = StageRunner(32)
    models = GraphModels(fleet, stages, Synthesiser(stages, fleet, 0.2))
    if options is not None:
        models.prepare(options)
    return models


async def test_a_clause_is_translated_and_spoken(fleet: Fleet) -> None:
    models = door(fleet)
    translation = await models.translate("Hello.", "en", "pt")
    assert translation.text == "pt: Hello."
    slow = await models.speak("Olá.", "pt", None, 1.0, None)
    quick = await models.speak("Olá.", "pt", None, 1.25, None)
    assert len(quick.samples) == round(len(slow.samples) / 1.25)


async def test_a_clone_speaks_in_the_voice_of_the_clip(fleet: Fleet) -> None:
    models = door(fleet, replace(TO_PT, voice="source"))
    spoken = await models.speak("Olá.", "pt", "source", 1.0, SOUND)
    assert spoken.samples[0] == 7


async def test_a_route_through_english_is_taken(fleet: Fleet) -> None:
    models = door(fleet, LiveOptions(targets=("fr",)))
    assert (await models.translate("Olá.", "pt", "fr")).text == "fr: en: Olá."


@pytest.mark.parametrize(
    ("options", "error", "param"),
    [
        pytest.param(
            LiveOptions(language="xx"), UnknownLanguage, "language", id="unknown language"
        ),
        pytest.param(
            LiveOptions(targets=("xx",)), UnknownLanguage, "target_language", id="unknown target"
        ),
        pytest.param(
            LiveOptions(language="fr", targets=("pt",)),
            UnsupportedPair,
            "target_language",
            id="pair",
        ),
        pytest.param(
            LiveOptions(targets=("pt",), speaks=True, voice="nobody"),
            UnknownVoice,
            "voice",
            id="unknown voice",
        ),
        pytest.param(
            LiveOptions(targets=("pt",), speaks=True, voice="fake-en"),
            Unprocessable,
            "voice",
            id="voice of another language",
        ),
        pytest.param(
            LiveOptions(targets=("en",), speaks=True, voice="source"),
            Unprocessable,
            "voice",
            id="no clone speaks it",
        ),
        pytest.param(
            LiveOptions(targets=("fr",), speaks=True), Unprocessable, "voice", id="nobody speaks it"
        ),
    ],
)
async def test_what_there_is_not_is_refused_at_the_start(
    fleet: Fleet, options: LiveOptions, error: type[DragomanError], param: str
) -> None:
    with pytest.raises(error) as refused:
        door(fleet, options)
    assert refused.value.param == param


async def test_a_model_that_was_unloaded_gives_its_error(
    fleet: Fleet, remotes: LocalDirectory
) -> None:
    models = door(fleet)
    await remotes.unload("nmt")
    with pytest.raises(Unavailable, match="nmt"):
        await models.translate("Hello.", "en", "pt")
    models.close()


async def test_live_pieces_go_first_and_a_session_is_one_caller(fleet: Fleet) -> None:
    models, shares = door(fleet), list[Any]()
    batcher = fleet.get("nmt").batcher
    ask = batcher.request

    def asking(*args: Any, **settings: Any) -> Any:
        shares.append((settings["priority"], settings["share"]))
        return ask(*args, **settings)

    batcher.request = asking  # type: ignore[method-assign]
    await asyncio.gather(*(models.translate(f"Text {n}.", "en", "pt") for n in range(3)))
    assert {priority for priority, _ in shares} == {LIVE}
    assert len({id(share) for _, share in shares}) == 1


@pytest.mark.parametrize(
    ("beam_size", "priority"),
    [pytest.param(None, LIVE, id="what ends a turn"), pytest.param(1, UPDATE, id="an update")],
)
async def test_an_update_goes_behind_what_ends_a_turn(
    fleet: Fleet, beam_size: int | None, priority: int
) -> None:
    models, priorities = door(fleet), list[int]()
    batcher = fleet.get("asr").batcher
    ask = batcher.request

    def asking(*args: Any, **settings: Any) -> Any:
        priorities.append(settings["priority"])
        return ask(*args, **settings)

    batcher.request = asking  # type: ignore[method-assign]
    await models.recognise(AsrItem(SOUND, beam_size=beam_size))
    assert priorities == [priority]


async def test_what_only_recognises_can_be_of_any_language_that_is_translated(
    fleet: Fleet, remotes: LocalDirectory
) -> None:
    seen = await asked(remotes, "asr", lambda: door(fleet).recognise(AsrItem(SOUND)))
    assert set(seen[0].languages) == {"pt", "en"}
    plain = door(fleet, LiveOptions())
    seen = await asked(remotes, "asr", lambda: plain.recognise(AsrItem(SOUND)))
    assert seen[0].languages == ()


async def test_an_engine_that_cannot_go_on_gets_the_clause_alone(
    fleet: Fleet, remotes: LocalDirectory
) -> None:
    begun, models = Begun("When it works,", "Quando funciona,"), door(fleet)
    ask = lambda: models.translate("we go.", "en", "pt", begun)  # noqa: E731
    assert [item.before for item in await asked(remotes, "nmt", ask)] == [""]
    model = fleet.get("nmt")
    model.spec = replace(model.spec, continues=True)
    (item,) = await asked(remotes, "nmt", ask)
    assert isinstance(item, NmtItem)
    assert (item.before, item.before_translated) == (begun.text, begun.translated)


async def test_models_are_let_go_of_when_the_session_is_over(fleet: Fleet) -> None:
    sessions = sessions_of(fleet, fake_config())
    live = fleet.get("asr").batcher._sender.live
    session = sessions.open(LiveOptions(targets=("pt",)))
    assert live.sessions == 1
    session.abort()
    assert live.sessions == 0
    with pytest.raises(UnknownLanguage):
        sessions.open(LiveOptions(targets=("xx",)))
    assert live.sessions == 0


async def test_a_whole_session_over_the_graphs_models(fleet: Fleet) -> None:
    sessions = sessions_of(fleet, fake_config())
    session = sessions.open(TO_PT)
    listener = session.listen()
    loud, quiet = np.full(24_000, 500, np.int16), np.zeros(24_000, np.int16)
    for piece in (loud, loud, quiet):
        await session.add(piece)
    async with asyncio.timeout(20):
        await session.finish()
        kinds = [type(event).__name__ async for event in listener]
    assert kinds[-1] == "Closed"
    assert {"TranscriptDelta", "TranslationDelta", "SentenceDone", "SpeechDelta"} <= set(kinds)


async def test_a_hearing_that_fails_ends_its_session(fleet: Fleet) -> None:
    session = sessions_of(fleet, fake_config()).open(LiveOptions())
    listener = session.listen()

    async def broken(item: Any) -> Any:
        raise ValueError("a bug")

    session._models.hear = broken  # type: ignore[method-assign]
    await session.add(np.full(24_000, 500, np.int16))
    async with asyncio.timeout(5):
        (*_, closed) = [event async for event in listener]
    assert isinstance(closed, Closed)
    assert isinstance(closed.error, InternalError)


async def test_who_waits_for_room_does_not_outlive_the_session(
    fleet: Fleet, remotes: LocalDirectory
) -> None:
    never = asyncio.Event()
    remotes["vad"].hold_all(never)
    session = sessions_of(fleet, fake_config()).open(LiveOptions())
    adding = asyncio.ensure_future(session.add(np.full(24_000 * 20, 500, np.int16)))
    await until(lambda: fleet.get("vad").batcher.in_flight > 0)
    assert not adding.done()
    session.abort()
    async with asyncio.timeout(5):
        await adding
    never.set()


async def asked(remotes: LocalDirectory, name: str, ask: Any) -> Sequence[Any]:
    """Return the items that a model gets for what ``ask`` asks."""
    remote, seen = remotes[name], list[Any]()
    infer = type(remote).infer

    async def seeing(items: Sequence[Any]) -> Any:
        seen.extend(items)
        return await infer(remote, items)

    remote.infer = seeing  # type: ignore[method-assign]
    await ask()
    return seen
