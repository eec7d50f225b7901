"""Live hearing on a virtual clock, to the word: nothing is lost, repeated or taken back."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from deployments.live.events import (
    IdleTimeout,
    Notice,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
    TranscriptPartial,
    TurnCommitted,
    TurnDone,
    TurnFailed,
)
from deployments.live.options import LiveOptions, VadTurns
from deployments.live.retry import PATIENCE_S
from models.errors import InvalidRequest, QueueFull, Unavailable
from models.types import SAMPLE_RATE_HZ, AsrItem, Transcript
from tests.support.hearing_stage import Stage
from tests.support.spoken_levels import (
    of,
    silence,
    spoken,
    stops_behind,
    words,
    written,
)

BY_CALLER = LiveOptions(turns=None)


async def test_turns_are_told_in_order_and_to_the_word() -> None:
    stage = Stage()
    await stage.say(silence(1), spoken(1, 2, 3, 4), silence(1.2), spoken(5, 6, 7), silence(1))
    assert stage.texts() == [words(1, 2, 3, 4), words(5, 6, 7)]
    one = ["SpeechStarted", "SpeechStopped", "TurnCommitted", "TurnDone"]
    assert stage.kinds() == one * 2
    assert [e.turn for e in stage.events if isinstance(e, TurnCommitted)] == [0, 1]


async def test_a_turn_tells_its_places() -> None:
    stage = Stage()
    await stage.say(silence(1), spoken(1, 2, 3, 4), silence(1))
    started, stopped, _, done = [
        e
        for e in stage.events
        if isinstance(e, SpeechStarted | SpeechStopped | TurnCommitted | TurnDone)
    ]
    assert isinstance(started, SpeechStarted)
    assert isinstance(stopped, SpeechStopped)
    assert isinstance(done, TurnDone)
    assert started.at_s == pytest.approx(0.7, abs=0.05)  # with the silence that is kept
    assert stopped.at_s == pytest.approx(3.1, abs=0.05)  # with the silence that told so
    assert done.start_s == started.at_s
    assert done.end_s == pytest.approx(2.9, abs=0.05)
    assert done.speech_s == pytest.approx(1.6, abs=0.1)
    assert (done.language, done.language_probability) == ("en", 0.97)


async def test_words_are_sent_while_somebody_speaks() -> None:
    stage = Stage()
    await stage.say(spoken(*range(12)))
    sent = "".join(e.text for e in stage.events if isinstance(e, TranscriptDelta))
    assert words(*range(8)) in sent
    assert "x" not in sent  # what the edge cut is held back


async def test_of_updates_that_wait_at_one_place_the_last_one_counts() -> None:
    stage = Stage()
    hearing = stage.hearing
    for _ in range(1000):
        hearing.update(LiveOptions(language="de"))
        hearing.add(np.zeros(1, np.int16))
    hearing.update(LiveOptions(language="fr"))
    assert len(hearing._markers) <= 4
    await stage.say(spoken(1, 2, 3), silence(1))
    assert hearing._options.language == "fr"


async def test_one_question_at_a_time() -> None:
    stage = Stage(takes_s=1.1)
    await stage.say(spoken(*range(20)), silence(1))
    await stage.finish()
    assert stage.models.most_at_once == 1
    assert stage.texts() == [words(*range(20))]


async def test_the_first_question_tells_words_and_language() -> None:
    stage = Stage()
    await stage.say(spoken(*range(6)))
    assert [(item.task, item.language) for item in stage.models.asked[:2]] == [
        ("transcribe", None),
        ("transcribe", "en"),
    ]


async def test_an_update_is_given_up_where_speech_ends_before_its_answer() -> None:
    stage = Stage(takes_s=60.0)
    await stage.say(spoken(*range(4)))
    assert [item.beam_size for item in stage.models.asked] == [1]
    stage.models.takes_s = 0.1
    await stage.say(silence(0.6))
    assert stage.texts() == [words(*range(4))]


async def test_the_end_of_speech_is_asked_for_before_the_silence_is_over() -> None:
    stage = Stage(takes_s=0.1)
    await stage.say(spoken(*range(4)), silence(1))
    done = next(n for n, event in enumerate(stage.events) if isinstance(event, TurnDone))
    stopped = next(n for n, event in enumerate(stage.events) if isinstance(event, SpeechStopped))
    assert stage.at_s[done] == stage.at_s[stopped]


async def test_long_speech_is_cut_at_sure_words() -> None:
    stage = Stage()
    await stage.say(spoken(*range(150)), silence(1))
    assert stage.texts() == [words(*range(150))]
    assert max(item.length for item in stage.models.asked) <= 8.5  # the smallest window
    assert any(item.prefix for item in stage.models.asked)


async def test_speech_without_sure_words_is_cut_at_last() -> None:
    """A recogniser that is never asked before the end, as when the models are behind."""
    stage = Stage(replace(LiveOptions(), delay="xhigh"), takes_s=40.0)
    sound = np.concatenate([spoken(*range(35)), silence(0.2)] * 4)
    await stage.say(sound, silence(1.5))
    await stage.finish()
    assert max(item.length for item in stage.models.asked) <= 30.0
    (text,) = stage.texts()
    assert text.split().count("w7") == 4


async def test_finish_loses_nothing() -> None:
    stage = Stage()
    await stage.say(spoken(*range(5)))
    await stage.finish()
    assert stage.texts() == [words(*range(5))]
    assert stage.kinds()[-1] == "TurnDone"


async def test_all_audio_at_once_says_the_same() -> None:
    stage = Stage()
    stage.hearing.add(np.concatenate([spoken(*range(60)), silence(1), spoken(1, 2), silence(1)]))
    await stage.finish()
    assert stage.texts() == [words(*range(60)), words(1, 2)]


async def test_silence_and_clicks_say_nothing() -> None:
    stage = Stage()
    await stage.say(silence(2), spoken(1)[:2_000], silence(2))
    await stage.finish()
    assert stage.events == []
    assert stage.models.asked == []


async def test_a_lost_replica_loses_and_repeats_nothing() -> None:
    stage = Stage()
    failures = iter([None, None, QueueFull("full"), Unavailable("no replica"), Unavailable("")])
    stage.models.fails = lambda: next(failures, None)
    await stage.say(spoken(*range(15)), silence(1))
    await stage.finish()
    assert stage.texts() == [words(*range(15))]


async def test_a_model_that_stays_away_fails_the_turn_alone() -> None:
    stage = Stage()
    stage.models.fails = lambda: Unavailable("gone")
    await stage.say(spoken(1, 2, 3), silence(1))
    await stage.clock.advance(PATIENCE_S + 5)
    stage.models.fails = lambda: None
    await stage.say(spoken(4, 5, 6), silence(1))
    await stage.finish()
    assert stage.texts() == [words(4, 5, 6)]
    assert [e.error.message for e in stage.events if isinstance(e, TurnFailed)] == ["gone"]


async def test_a_refused_question_is_not_asked_again() -> None:
    stage = Stage()
    stage.models.fails = lambda: InvalidRequest("no such language")
    await stage.say(spoken(1, 2, 3), silence(1))
    assert len(of(stage.events, TurnFailed)) == 1
    assert len(stage.models.asked) == 1


# ---- the caller ends turns ----------------------------------------------------------------


async def test_the_caller_commits() -> None:
    stage = Stage(BY_CALLER)
    await stage.say(spoken(1, 2, 3), silence(1), spoken(4, 5))
    stage.hearing.commit()
    await stage.say(spoken(6, 7))
    await stage.finish()
    assert stage.texts() == [words(1, 2, 3, 4, 5), words(6, 7)]
    assert stage.kinds() == ["TurnCommitted", "TurnDone"] * 2


async def test_a_commit_of_silence_is_an_empty_turn() -> None:
    stage = Stage(BY_CALLER)
    await stage.say(silence(1))
    stage.hearing.commit()
    await stage.finish()
    assert stage.texts() == [""]


async def test_a_commit_of_nothing_is_refused() -> None:
    stage = Stage(BY_CALLER)
    await stage.say(spoken(1, 2))
    stage.hearing.commit()
    with pytest.raises(InvalidRequest, match="0 ms"):
        stage.hearing.commit()
    await stage.finish()
    assert stage.texts() == [words(1, 2)]


async def test_a_commit_in_a_turn_of_the_session_ends_it() -> None:
    stage = Stage()
    await stage.say(spoken(1, 2, 3))
    stage.hearing.commit()
    await stage.say(spoken(4, 5, 6), silence(1))
    await stage.finish()
    assert stage.texts() == [words(1, 2, 3), words(4, 5, 6)]


async def test_what_is_cleared_is_not_told() -> None:
    stage = Stage(BY_CALLER)
    await stage.say(spoken(1, 2, 3))
    stage.hearing.clear()
    with pytest.raises(InvalidRequest):
        stage.hearing.commit()
    await stage.say(spoken(4, 5))
    stage.hearing.commit()
    await stage.finish()
    assert stage.texts() == [words(4, 5)]


async def test_options_change_for_what_is_said_from_then_on() -> None:
    stage = Stage()
    await stage.say(spoken(1, 2, 3), silence(1))
    stage.hearing.update(replace(LiveOptions(), language="pt"))
    await stage.say(spoken(4, 5, 6, language="pt"), silence(1))
    assert stage.texts() == [words(1, 2, 3), words(4, 5, 6)]
    asked = [item.language for item in stage.models.asked]
    assert (asked[0], asked[-1]) == (None, "pt")


async def test_nothing_is_sent_of_an_update_that_is_not_sure() -> None:
    """A text that goes round, or is unlikely, may be another by the end of the speech."""
    stage = Stage()

    def doubtful(item: AsrItem) -> Transcript:
        heard = written(item)
        if item.beam_size != 1:
            return heard
        return replace(
            heard, segments=tuple(replace(s, compression_ratio=3.0) for s in heard.segments)
        )

    stage.models.writes = doubtful
    await stage.say(spoken(*range(12)))
    assert stage.texts() == []
    assert not of(stage.events, TranscriptDelta)
    await stage.say(silence(1))
    assert stage.texts() == [words(*range(12))]


async def test_each_turn_has_its_own_language() -> None:
    stage = Stage()
    await stage.say(spoken(1, 2, 3), silence(1), spoken(4, 5, 6, 7, language="pt"), silence(1))
    done = [event for event in stage.events if isinstance(event, TurnDone)]
    assert [event.language for event in done] == ["en", "pt"]


async def test_nobody_speaks_for_long() -> None:
    stage = Stage(LiveOptions(turns=VadTurns(idle_timeout_s=2.0)))
    await stage.say(silence(5), spoken(1, 2, 3), silence(4))
    places = [(e.start_s, e.end_s) for e in stage.events if isinstance(e, IdleTimeout)]
    assert [start_s for start_s, _ in places] == [0.0, pytest.approx(6.7, abs=0.1)]
    assert [end_s - start_s for start_s, end_s in places] == pytest.approx([2, 2], abs=0.1)


# ---- pace and bounds ----------------------------------------------------------------------


async def test_slow_models_tell_whole_turns_and_say_so_once() -> None:
    stage = Stage(takes_s=3.5)
    await stage.say(spoken(*range(60)), silence(2))
    stage.models.takes_s = 0.1
    for number in range(4):
        await stage.say(spoken(number, 100), silence(2))
    before = len(stage.events)
    await stage.say(spoken(*range(10)), silence(1))
    await stage.finish()
    assert [e.code for e in stage.events if isinstance(e, Notice)] == ["recognition_behind"]
    assert stage.texts() == [
        words(*range(60)),
        *(words(number, 100) for number in range(4)),
        words(*range(10)),
    ]
    assert of(stage.events[before:], TranscriptPartial)  # it has caught up


async def test_what_is_unheard_falls_as_it_is_heard() -> None:
    stage = Stage(takes_s=1.0)
    stage.hearing.add(np.concatenate([spoken(*range(50)), silence(1)]))
    assert stage.hearing.unheard_s == pytest.approx(21.0)
    waiting = asyncio.ensure_future(stage.hearing.until_heard(1.0))
    await stage.clock.advance(0.5)
    assert not waiting.done()
    await stage.end(stage.hearing.until_heard(1.0))
    await stage.finish()
    assert stage.hearing.unheard_s < 0.1


async def test_ten_minutes_need_no_more_memory_than_one() -> None:
    stage = Stage(takes_s=0.1)
    minute = np.concatenate([spoken(*range(100)), silence(20)])
    for _ in range(10):
        await stage.say(minute, chunk=4 * SAMPLE_RATE_HZ)
        stage.models.asked.clear()
        stage.models.pieces.clear()
        assert stage.hearing._tape.end - stage.hearing._tape.start < 35 * SAMPLE_RATE_HZ
    assert stage.texts() == [words(*range(100))] * 10


async def test_sessions_never_mix() -> None:
    one, other = Stage(), Stage()
    for number in range(5):
        await one.say(spoken(number, number + 1, number + 2), silence(0.8))
        await other.say(spoken(*range(50 + number, 55 + number)), silence(0.8))
    await one.finish()
    await other.finish()
    assert one.texts() == [words(n, n + 1, n + 2) for n in range(5)]
    assert other.texts() == [words(*range(50 + n, 55 + n)) for n in range(5)]


async def test_abort_ends_at_once() -> None:
    stage = Stage()
    await stage.say(spoken(*range(5)))
    stage.hearing.abort()
    before = len(stage.events)
    await stage.clock.advance(5)
    assert stage.events[before:] == []


async def test_speech_behind_the_last_word_is_asked_for_again() -> None:
    """Whisper stops at times at the end of a sentence, and somebody goes on."""
    stage = Stage()
    stage.models.writes = lambda item: stops_behind(item, words=4)
    await stage.say(spoken(*range(8)), silence(1))
    await stage.finish()
    assert stage.texts() == [words(*range(8))]


async def test_a_fault_of_the_session_is_not_kept_quiet() -> None:
    stage = Stage()
    stage.models.fails = lambda: KeyError("a fault")
    with pytest.raises(KeyError, match="a fault"):
        await stage.say(spoken(*range(9)), silence(1))
    stage.hearing.abort()
