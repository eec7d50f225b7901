"""Live sessions on a virtual clock, with an ear and models that are fakes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from deployments.config.live import Live
from deployments.live.events import (
    Closed,
    Event,
    Notice,
    SentenceDone,
    SpeechDelta,
    TranscriptDelta,
    TranslationDelta,
)
from deployments.live.options import LiveOptions
from models.errors import (
    DragomanError,
    InternalError,
    InvalidRequest,
    ReaderTooSlow,
    SessionEnded,
    SessionExpired,
    SessionIdle,
    Unprocessable,
    UnsupportedPair,
)
from tests.support.clock import VirtualClock, settle
from tests.support.live import rest, samples, scene, speech_of, text_of, waiting

TO_PT = LiveOptions(targets=("pt",))
SPOKEN = LiveOptions(targets=("pt",), speaks=True)


def of(events: Sequence[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def reason(events: Sequence[Event]) -> DragomanError | None:
    """Return what a session ended with."""
    assert isinstance(events[-1], Closed)
    return events[-1].error


async def test_words_go_to_the_listener_translated_with_their_times() -> None:
    clock = VirtualClock()
    live = scene(clock, TO_PT)
    await live.session.add(samples(2.0))
    live.ear.say("Hello there.")
    await settle()
    events = waiting(live.listener)
    assert of(events, TranscriptDelta) == [TranscriptDelta(0, "Hello there.", 0.0, 2.0, "en")]
    assert of(events, TranslationDelta) == [TranslationDelta("pt", "<en>pt:Hello there.", 0.0, 2.0)]
    assert of(events, SentenceDone) == [
        SentenceDone("pt", "Hello there.", "<en>pt:Hello there.", 0.0, 2.0, "en")
    ]
    live.session.abort()


async def test_finish_sends_all_that_is_still_to_come_and_closes_last() -> None:
    clock = VirtualClock()
    live = scene(clock, SPOKEN, translate_s=2.0, speak_s=2.0)
    await live.session.add(samples(3.0))
    live.ear.say("One sentence. And half of")
    live.ear.at_finish = [" another one"]
    ending = asyncio.ensure_future(live.session.finish())
    await clock.advance(60.0)
    await ending
    events = waiting(live.listener)
    assert text_of(events, "pt") == "<en>pt:One sentence. <en>pt:And half of another one"
    assert len(speech_of(events, "pt")) == 2
    assert events[-1] == Closed()


async def test_append_after_finish_is_refused() -> None:
    live = scene(VirtualClock(), TO_PT)
    await live.session.finish()
    with pytest.raises(InvalidRequest, match="closing"):
        await live.session.add(samples(0.1))
    with pytest.raises(InvalidRequest, match="closing"):
        live.session.listen()


async def test_abort_closes_at_once_with_the_reason() -> None:
    live = scene(VirtualClock(), TO_PT, translate_s=5.0)
    await live.session.add(samples(1.0))
    live.ear.say("Never heard of.")
    error = SessionEnded("ended by an administrator")
    live.session.abort(error)
    events = await rest(live.listener)
    assert events[-1] == Closed(error)
    assert not of(events, TranslationDelta)


async def test_two_listeners_in_two_languages_each_made_once() -> None:
    clock = VirtualClock()
    live = scene(clock, SPOKEN)
    follower = live.session.listen(("fr",), follows=True)
    third = live.session.listen(("fr", "pt"), speaks=False, follows=True)
    await live.session.add(samples(1.0))
    live.ear.say("Good day.")
    await clock.advance(1.0)
    own, french, both = (waiting(each) for each in (live.listener, follower, third))
    assert [text_of(own, code) for code in ("pt", "fr")] == ["<en>pt:Good day.", ""]
    assert [text_of(french, code) for code in ("pt", "fr")] == ["", "<en>fr:Good day."]
    assert [text_of(both, code) for code in ("pt", "fr")] == [
        "<en>pt:Good day.",
        "<en>fr:Good day.",
    ]
    assert [len(of(each, SpeechDelta)) for each in (own, french, both)] == [1, 1, 0]
    assert len(live.models.translated) == len(live.models.spoken) == 2
    live.session.abort()


async def test_a_follower_who_wants_no_language_reads_the_transcript_alone() -> None:
    clock = VirtualClock()
    live = scene(clock, SPOKEN)
    follower = live.session.listen((), follows=True)
    await live.session.add(samples(1.0))
    live.ear.say("Good day.")
    await clock.advance(1.0)
    assert [type(event).__name__ for event in waiting(follower)] == [
        "SpeechStarted",
        "TranscriptDelta",
    ]
    live.session.abort()


async def test_a_language_ends_when_its_last_follower_leaves() -> None:
    clock = VirtualClock()
    live = scene(clock, TO_PT)
    follower = live.session.listen(("fr",), follows=True)
    follower.close()
    await live.session.add(samples(1.0))
    live.ear.say("Good day.")
    await clock.advance(1.0)
    assert [target for _, _, target in live.models.translated] == ["pt"]
    live.session.abort()


async def test_a_language_that_nobody_reads_any_more_ends_within_its_sentence() -> None:
    clock = VirtualClock()
    live = scene(clock, TO_PT)
    follower = live.session.listen(("fr",), follows=True)
    await live.session.add(samples(1.0))
    live.ear.say("This is a sentence that has begun,")
    await settle()
    follower.close()
    live.ear.say(" and goes on to its end.")
    await settle()
    said = [target for _, _, target in live.models.translated]
    assert (said.count("fr"), said.count("pt")) == (1, 2)
    live.session.abort()


async def test_a_follower_who_comes_in_mid_sentence_begins_with_the_next() -> None:
    clock = VirtualClock()
    live = scene(clock, TO_PT)
    await live.session.add(samples(1.0))
    live.ear.say("This is a sentence that has begun, and")
    await settle()
    follower = live.session.listen(("fr",), follows=True)
    live.ear.say(" it ends. A new one.")
    await clock.advance(1.0)
    assert text_of(waiting(follower), "fr") == "<en>fr:A new one."
    live.session.abort()


async def test_an_update_changes_the_language_with_the_next_sentence() -> None:
    clock = VirtualClock()
    live = scene(clock, TO_PT)
    await live.session.add(samples(1.0))
    live.ear.say("The old one is there and goes on,")
    live.session.update(LiveOptions(targets=("fr",)))
    live.ear.say(" to its end. The new one begins.")
    await clock.advance(1.0)
    live.ear.say(" And goes on.")
    await clock.advance(1.0)
    events = waiting(live.listener)
    assert text_of(events, "pt") == ("<en>pt:The old one is there and goes on, to its end.")
    assert text_of(events, "fr") == "<en>fr:The new one begins. <en>fr:And goes on."
    live.session.abort()


async def test_followers_are_spoken_to_whatever_the_session_changes() -> None:
    clock = VirtualClock()
    live = scene(clock, LiveOptions(targets=("pt",), speaks=True, voice="one"))
    follower = live.session.listen(("pt", "fr"), speaks=True, follows=True)
    spoken = []
    for options in (
        LiveOptions(targets=("pt",), speaks=True, voice="source"),
        LiveOptions(targets=("es",), voice="two"),
        LiveOptions(),
    ):
        live.session.update(options)
        await live.session.add(samples(1.0))
        live.ear.say(" So be it.")
        await clock.advance(5.0)
        events = waiting(follower)
        spoken.append([len(speech_of(events, target)) for target in ("pt", "fr")])
    assert spoken == [[1, 1]] * 3
    assert [voice for _, target, voice, _ in live.models.spoken if target == "pt"] == [
        "source",
        None,
        None,
    ]
    assert not live.session.is_over
    live.session.abort()


async def test_a_refused_update_changes_nothing() -> None:
    clock = VirtualClock()
    live = scene(clock, TO_PT)
    with pytest.raises(UnsupportedPair):
        live.session.update(LiveOptions(targets=("tlh",)))
    await live.session.add(samples(1.0))
    live.ear.say("Still here.")
    await clock.advance(1.0)
    assert live.session.options == TO_PT
    assert text_of(waiting(live.listener), "pt") == "<en>pt:Still here."
    live.session.abort()


async def test_a_listener_who_never_reads_is_dropped_and_others_go_on() -> None:
    clock = VirtualClock()
    live = scene(clock, TO_PT)
    lazy = live.session.listen(max_bytes=2_000, follows=True)
    for number in range(10):
        await live.session.add(samples(1.0))
        live.ear.say(f" This is number {number} of them.")
        await settle()
    with pytest.raises(ReaderTooSlow, match="2000 bytes"):
        await rest(lazy)
    assert lazy not in live.session.listeners
    assert text_of(waiting(live.listener), "pt").count("number") == 10
    live.session.abort()


@pytest.mark.parametrize(
    ("limits", "error"),
    [(Live(max_session_s=30.0), SessionExpired), (Live(max_idle_s=20.0), SessionIdle)],
    ids=["too long", "idle"],
)
async def test_time_limits_flush_and_close(limits: Live, error: type[SessionEnded]) -> None:
    clock = VirtualClock()
    live = scene(clock, TO_PT, limits)
    for second in range(35):
        if (second < 12 or error is SessionExpired) and not live.session.is_over:
            await live.session.add(samples(1.0))
        if second == 10:
            live.ear.say("Half a sentence", start_s=10.0)
        await clock.advance(1.0)
    events = await rest(live.listener)
    assert isinstance(reason(events), error)
    assert text_of(events, "pt") == "<en>pt:Half a sentence"
    assert live.ear.heard_s == (30.0 if error is SessionExpired else 12.0)


async def test_end_cuts_a_flush_that_takes_too_long() -> None:
    clock = VirtualClock()
    live = scene(clock, TO_PT, translate_s=1000.0)
    await live.session.add(samples(1.0))
    live.ear.say("Slow.")
    error = SessionEnded("ended by an administrator")
    ending = asyncio.ensure_future(live.session.end(error))
    await clock.advance(11.0)
    await ending
    assert (await rest(live.listener))[-1] == Closed(error)


async def test_languages_that_come_and_go_unspoken_leave_nothing_behind() -> None:
    live = scene(VirtualClock(), TO_PT)
    live.models.gate.clear()
    await live.session.add(samples(1.0))
    live.ear.say("Hello there.")
    await settle()
    for _ in range(50):
        live.session.update(LiveOptions(targets=("fr",)))
        live.session.update(TO_PT)
    await settle()
    assert len(live.session._languages._lines) <= 2  # what is translated, and what is to come
    live.ear.say(" Good bye.")
    live.models.gate.set()
    await live.session.finish()
    text = text_of(await rest(live.listener), "pt")
    assert text == "<en>pt:Hello there.<en>pt:Good bye."  # a reader writes the space


async def test_too_many_languages_or_listeners_are_refused() -> None:
    live = scene(VirtualClock(), TO_PT, Live(max_targets=2, max_listeners=3))
    live.session.listen(("fr",), follows=True)
    with pytest.raises(Unprocessable, match="at most 2 languages"):
        live.session.listen(("es",), follows=True)
    with pytest.raises(Unprocessable, match="at most 2 languages"):
        live.session.update(LiveOptions(targets=("pt", "es")))
    live.session.listen(("pt",), follows=True)
    with pytest.raises(Unprocessable, match="at most 3 listeners"):
        live.session.listen(follows=True)
    live.session.abort()


async def test_a_fault_ends_the_session_and_tells_nothing_of_itself() -> None:
    clock = VirtualClock()
    live = scene(clock, TO_PT, failing=[ValueError("a bug")])
    await live.session.add(samples(1.0))
    live.ear.say("Oh.")
    await settle()
    assert isinstance(reason(await rest(live.listener)), InternalError)


async def test_lag_is_told_from_the_last_sample_of_what_an_event_covers() -> None:
    clock = VirtualClock()
    live = scene(clock, SPOKEN, translate_s=0.5, speak_s=0.25)
    await live.session.add(samples(1.0))
    await clock.advance(0.4)
    await live.session.add(samples(0.4))
    await clock.advance(0.3)
    live.ear.emit(TranscriptDelta(0, "Hi.", 0.0, 1.0, "en"))
    await clock.advance(1.0)
    p50 = {stage: round(f.p50_s, 3) for stage, f in live.session.lag.figures().items()}
    assert p50 == {"received": 0.0, "recognised": 0.7, "translated": 1.2, "spoken": 1.45}
    live.session.abort()


async def test_add_waits_while_too_much_is_unheard() -> None:
    live = scene(VirtualClock(), TO_PT)
    live.ear.room.clear()
    adding = asyncio.ensure_future(live.session.add(samples(1.0)))
    await settle()
    assert not adding.done()
    live.ear.room.set()
    await adding
    assert live.session.heard_s == 1.0
    live.session.abort()


async def test_two_hundred_sessions_are_never_mixed() -> None:
    clock = VirtualClock()
    lives = [scene(clock, TO_PT, translate_s=0.01 * (n % 7)) for n in range(200)]
    for number, live in enumerate(lives):
        await live.session.add(samples(0.5))
        live.ear.say(f"I am number {number}.")
    endings = [asyncio.ensure_future(live.session.finish()) for live in lives]
    await clock.advance(1.0)
    await asyncio.gather(*endings)
    for number, live in enumerate(lives):
        events = await rest(live.listener)
        assert text_of(events, "pt") == f"<en>pt:I am number {number}."
        assert not of(events, Notice)
