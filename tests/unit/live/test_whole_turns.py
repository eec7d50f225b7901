"""A recogniser that goes on from no words is asked for whole turns, and for nothing before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from deployments.live.events import Notice, TranscriptDelta, TranscriptPartial
from deployments.live.options import LiveOptions
from models.errors import InvalidRequest
from models.types import SAMPLE_RATE_HZ
from tests.support.hearing_stage import CHUNK, Stage
from tests.support.spoken_levels import Sound, of, silence, spoken, stops_behind, words, written


def by_turns() -> Stage:
    """A stage whose recogniser refuses a prefix, and knows the language."""
    stage = Stage(LiveOptions(language="en"))
    stage.models.takes_prefix = False
    stage.models.fails = lambda: (
        None
        if stage.models.asked[-1].prefix is None
        else InvalidRequest("no text can be gone on from", param="prefix")
    )
    return stage


def codes(stage: Stage) -> list[str]:
    return [event.code for event in stage.events if isinstance(event, Notice)]


async def test_each_turn_is_told_to_the_word() -> None:
    stage = by_turns()
    await stage.say(spoken(*range(20)), silence(1), spoken(30, 31, 32), silence(1))
    assert stage.texts() == [words(*range(20)), words(30, 31, 32)]
    assert not of(stage.events, TranscriptPartial)


async def test_nothing_is_asked_while_somebody_speaks_or_pauses_for_breath() -> None:
    stage = by_turns()
    await stage.say(spoken(*range(20)), silence(0.3), spoken(*range(20, 40)))
    assert stage.models.asked == []
    await stage.finish()
    assert stage.texts() == [words(*range(40))]


async def test_callers_learn_of_it_once() -> None:
    stage = by_turns()
    assert codes(stage) == []  # before anybody can read it
    await stage.say(spoken(1, 2, 3), silence(1), spoken(4, 5, 6), silence(1))
    assert codes(stage) == ["whole_turns_only"]


async def test_where_a_recogniser_goes_on_nobody_is_told() -> None:
    stage = Stage()
    await stage.say(spoken(1, 2, 3), silence(1))
    assert codes(stage) == []


async def test_speech_behind_the_last_word_is_asked_for_without_a_prefix() -> None:
    stage = by_turns()
    stage.models.writes = lambda item: stops_behind(item, 7) if item.length > 3 else written(item)
    await stage.say(spoken(*range(10)), silence(1))
    await stage.finish()
    assert stage.texts() == [words(*range(10))]


async def test_a_recogniser_chosen_while_somebody_speaks_goes_on_behind_what_was_sent() -> None:
    stage = Stage()
    await stage.say(spoken(*range(10)))
    assert of(stage.events, TranscriptDelta)
    stage.models.takes_prefix = False
    before = len(stage.models.asked)
    await stage.say(spoken(*range(10, 14)), silence(1))
    assert stage.texts() == [words(*range(14))]
    assert {item.prefix for item in stage.models.asked[before:]} == {None}


@pytest.mark.parametrize(
    "make", [by_turns, lambda: Stage(takes_s=2.9)], ids=["whole turns", "slow answers"]
)
async def test_speech_that_waits_for_its_end_does_not_wait_for_the_models(
    make: Callable[[], Stage],
) -> None:
    """Who stops reading at a bound of unheard audio would wait for ever."""
    stage = make()
    await said_within(stage, 3.0, spoken(*range(50)))
    assert stage.texts() == [words(*range(50))]


async def said_within(stage: Stage, most_unheard_s: float, sound: Sound) -> None:
    """Say it as a session does, which takes no more while too much is unheard."""

    async def say() -> None:
        for start in range(0, len(sound), CHUNK):
            stage.hearing.add(sound[start : start + CHUNK])
            await stage.hearing.until_heard(most_unheard_s)

    saying = asyncio.ensure_future(say())
    for _ in range(600):
        if saying.done():
            break
        await stage.clock.advance(CHUNK / SAMPLE_RATE_HZ)
    assert saying.done(), "it waits though nothing is asked"
    await stage.finish()
