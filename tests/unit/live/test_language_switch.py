"""Who changes the language after a short pause is written down in both, to the word."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deployments.live.events import TranscriptDelta, TurnDone
from deployments.live.options import LiveOptions, VadTurns
from models.errors import Unavailable
from models.types import AsrItem, Transcript
from tests.support.hearing_stage import Stage
from tests.support.spoken_levels import in_one_language, of, silence, spoken, words

PAUSE = silence(0.35)
BOTH = np.concatenate([spoken(*range(8)), PAUSE, spoken(*range(20, 30), language="pt"), silence(1)])
BOTH_TEXT = f"{words(*range(8))} {words(*range(20, 30))}"


def stage_of(options: LiveOptions | None = None) -> Stage:
    stage = Stage(options)
    stage.models.writes = in_one_language
    return stage


def by_language(stage: Stage) -> list[tuple[str, str]]:
    """Join the deltas that follow each other in one language."""
    found: list[tuple[str, str]] = []
    for event in of(stage.events, TranscriptDelta):
        assert isinstance(event, TranscriptDelta)
        if found and found[-1][0] == event.language:
            found[-1] = (event.language, found[-1][1] + event.text)
        else:
            found.append((event.language, event.text))
    return [(language, text.strip()) for language, text in found]


def detected(stage: Stage) -> list[AsrItem]:
    return [item for item in stage.models.asked if item.task == "detect"]


async def test_each_language_is_written_in_its_own_words() -> None:
    stage = stage_of()
    await stage.say(BOTH)
    assert by_language(stage) == [("en", words(*range(8))), ("pt", words(*range(20, 30)))]
    assert stage.texts() == [BOTH_TEXT]


async def test_both_are_one_turn_that_counts_its_speech_once() -> None:
    stage = stage_of()
    await stage.say(BOTH)
    assert stage.kinds() == ["SpeechStarted", "SpeechStopped", "TurnCommitted", "TurnDone"]
    done = stage.events[-1]
    assert isinstance(done, TurnDone)
    assert done.language == "pt"
    assert done.speech_s == pytest.approx(18 * 0.4, abs=0.2)


async def test_words_behind_the_pause_are_sent_while_somebody_speaks() -> None:
    stage = stage_of()
    await stage.say(spoken(*range(8)), PAUSE, spoken(*range(20, 30), language="pt"))
    assert by_language(stage)[-1][1].startswith(words(*range(20, 24)))


async def test_the_same_language_goes_on_from_its_words() -> None:
    stage = stage_of()
    await stage.say(spoken(*range(8)), PAUSE, spoken(*range(8, 18)))
    before = len(stage.models.asked)
    await stage.say(silence(1))
    assert stage.texts() == [words(*range(18))]
    assert [bool(item.prefix) for item in stage.models.asked[before:]] == [True]
    assert len(detected(stage)) == 1  # behind the pause


async def test_three_in_a_row() -> None:
    stage = stage_of()
    third = spoken(*range(40, 46))
    await stage.say(BOTH[: -len(silence(1))], PAUSE, third, silence(1))
    assert [language for language, _ in by_language(stage)] == ["en", "pt", "en"]
    assert stage.texts() == [f"{BOTH_TEXT} {words(*range(40, 46))}"]


async def test_a_named_language_is_not_looked_at() -> None:
    stage = stage_of(LiveOptions(language="en"))
    await stage.say(spoken(*range(8)), PAUSE, spoken(*range(8, 18)), silence(1))
    assert stage.texts() == [words(*range(18))]
    assert detected(stage) == []


async def test_little_speech_is_looked_at_when_it_ends() -> None:
    stage = stage_of()
    await stage.say(spoken(*range(8)), PAUSE, spoken(20, 21, 22, language="pt"))
    assert not detected(stage)
    await stage.say(silence(1))
    assert by_language(stage) == [("en", words(*range(8))), ("pt", words(20, 21, 22))]


async def test_a_word_alone_is_of_the_language_before() -> None:
    stage = stage_of()
    await stage.say(spoken(*range(8)), PAUSE, spoken(8, 9), silence(1))
    assert stage.texts() == [words(*range(10))]
    assert not detected(stage)


async def test_a_failed_look_is_taken_again() -> None:
    stage = stage_of()
    failures = iter([Unavailable("no replica"), Unavailable("no replica")])

    def fails() -> Exception | None:
        is_look = stage.models.asked[-1].task == "detect"
        return next(failures, None) if is_look else None

    stage.models.fails = fails
    await stage.say(BOTH, silence(2))
    assert len(detected(stage)) == 3
    assert by_language(stage) == [("en", words(*range(8))), ("pt", words(*range(20, 30)))]


@pytest.mark.parametrize("options", [LiveOptions(turns=None), LiveOptions()], ids=["caller", "vad"])
async def test_all_audio_at_once(options: LiveOptions) -> None:
    stage = stage_of(options)
    stage.hearing.add(BOTH)
    await stage.finish()
    assert by_language(stage) == [("en", words(*range(8))), ("pt", words(*range(20, 30)))]
    assert len(of(stage.events, TurnDone)) == 1


async def test_a_turn_behind_waits_for_both() -> None:
    stage = stage_of()
    stage.models.takes_s = 2.0
    await stage.say(BOTH, spoken(1, 2, 3), silence(1))
    await stage.finish()
    assert stage.texts() == [BOTH_TEXT, words(1, 2, 3)]


async def test_whole_turns_are_looked_at_when_they_end() -> None:
    stage = stage_of()
    stage.models.takes_prefix = False
    await stage.say(BOTH[: -len(silence(1))])
    assert stage.models.asked == []
    await stage.say(silence(2))
    assert by_language(stage) == [("en", words(*range(8))), ("pt", words(*range(20, 30)))]


async def test_one_question_at_a_time() -> None:
    stage = stage_of()
    stage.models.takes_s = 0.7
    first, second = range(1000, 1008), range(2000, 2010)  # long words: none is missed
    await stage.say(spoken(*first), PAUSE, spoken(*second, language="pt"), silence(4))
    assert stage.models.most_at_once == 1
    assert stage.texts() == [f"{words(*first)} {words(*second)}"]


@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        ((("pt", 0.9), ("en", 0.1)), ["en"]),
        ((("pt", 0.75), ("tr", 0.23), ("en", 0.02)), ["en", "pt"]),
    ],
    ids=["it may be the same", "it is another one"],
)
async def test_a_language_that_is_not_sure(
    languages: tuple[tuple[str, float], ...], expected: list[str]
) -> None:
    stage = stage_of()

    def unsure(item: AsrItem) -> Transcript:
        heard = in_one_language(item)
        is_pt = item.task == "detect" and heard.language == "pt"
        return replace(heard, languages=languages) if is_pt else heard

    stage.models.writes = unsure
    await stage.say(BOTH, silence(1))
    assert [language for language, _ in by_language(stage)] == expected
    assert (stage.texts() == [BOTH_TEXT]) is ("pt" in expected)


async def test_a_longer_silence_is_none() -> None:
    """Where turns end sooner than a pause counts, nothing more is asked."""
    stage = stage_of(LiveOptions(turns=VadTurns(silence_s=0.2)))
    await stage.say(BOTH)
    assert stage.texts() == [words(*range(8)), words(*range(20, 30))]
