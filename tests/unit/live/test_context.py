"""What was said before an utterance: when it is heard with it, and that it is told once."""

from __future__ import annotations

import pytest

from deployments.live.agreement import Heard
from deployments.live.context import LONGEST, Context, Said, without
from deployments.live.options import LiveOptions
from deployments.live.turn import Turn
from deployments.live.utterance import Utterance
from models.types import SAMPLE_RATE_HZ, AsrItem, Segment, Transcript, Word
from tests.support.hearing_stage import Stage
from tests.support.spoken_levels import in_one_language, silence, spoken, words, written

ENGLISH = LiveOptions(language="en")


def utterance(start: int, text: str, language: str = "en") -> Utterance:
    """Return an utterance of a second in which that was heard."""
    end = start + SAMPLE_RATE_HZ
    told = Utterance(Turn(0, start), start, language, start, [], end, end, end=end)
    told.sure = [Heard(text, 0.0, 1.0)] if text else []
    return told


def context(*told: Utterance) -> Context:
    made = Context()
    for each in told:
        made.follow(each)
    return made


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([(0, " a.", "en")], Said(0, " a.", "en"), id="one"),
        pytest.param([(0, " a.", "en"), (2, " b.", "en")], Said(32_000, " b.", "en"), id="two"),
        pytest.param([(0, " a.", "en"), (2, " dois.", "pt")], None, id="another language since"),
        pytest.param([(0, " a.", "en"), (2, "", "en")], None, id="something not understood since"),
    ],
)
def test_what_was_said_last_in_the_same_language_stands_before(
    told: list[tuple[int, str, str]], expected: Said | None
) -> None:
    known = context(*(utterance(at_s * SAMPLE_RATE_HZ, *rest) for at_s, *rest in told))
    opened = utterance(4 * SAMPLE_RATE_HZ, "")
    assert known.of(opened, 5 * SAMPLE_RATE_HZ, "en") == expected


def test_both_fit_into_one_short_window() -> None:
    known, opened = context(utterance(0, " one.")), utterance(2 * SAMPLE_RATE_HZ, "")
    assert known.of(opened, LONGEST, "en") == Said(0, " one.", "en")
    assert known.of(opened, LONGEST + 1, "en") is None


def test_audio_that_is_too_old_is_not_kept() -> None:
    known = context(utterance(0, " one."))
    assert known.needed_from(LONGEST) == 0
    assert known.needed_from(LONGEST + 1) == LONGEST + 1


def test_open_audio_whose_start_was_cut_off_is_heard_alone() -> None:
    known, opened = context(utterance(0, " one.")), utterance(2 * SAMPLE_RATE_HZ, "")
    opened.before = [Heard(" two", 2.0, 3.0)]
    assert known.of(opened, 4 * SAMPLE_RATE_HZ, "en") is None


@pytest.mark.parametrize(
    ("texts", "rest"),
    [
        pytest.param([" one", " two", " three"], [(0.0, 1.0, " three")], id="words"),
        pytest.param([" one", " two.", " three"], [(0.0, 1.0, " three")], id="a mark more"),
        pytest.param([" one", " two"], [], id="nothing more"),
    ],
)
def test_what_was_said_before_is_left_out(
    texts: list[str], rest: list[tuple[float, float, str]]
) -> None:
    heard = tuple(Word(float(n), n + 1.0, text, 0.9) for n, text in enumerate(texts))
    segment = Segment(0.0, 3.0, " three", (), 0.0, -0.1, 1.0, 0.0, heard, "en")
    answer = Transcript(" three", "en", 1.0, (segment,))
    left = without(Said(16_000, " one two", "en"), answer, start=3 * SAMPLE_RATE_HZ)
    (found,) = left.segments
    assert [(word.start_s, word.end_s, word.text) for word in found.words or ()] == rest


async def test_an_utterance_is_heard_behind_the_one_before() -> None:
    stage = Stage(ENGLISH)
    await stage.say(spoken(1, 2, 3), silence(1), spoken(4, 5), silence(1))
    await stage.finish()
    assert stage.texts() == [words(1, 2, 3), words(4, 5)]
    behind = [item for item in stage.models.asked if item.prefix == f" {words(1, 2, 3)}"]
    assert behind, "the words before were not told"
    assert max(item.length for item in stage.models.asked) <= LONGEST / SAMPLE_RATE_HZ


async def test_where_answers_take_long_each_utterance_is_heard_alone() -> None:
    stage = Stage(ENGLISH, takes_s=1.2)
    await stage.say(spoken(1, 2, 3), silence(3), spoken(4, 5), silence(3))
    await stage.finish()
    assert stage.texts() == [words(1, 2, 3), words(4, 5)]
    assert not any(item.prefix for item in stage.models.asked)


async def test_another_language_is_heard_alone() -> None:
    stage = Stage()
    stage.models.writes = in_one_language
    said = spoken(1, 2, 3), silence(1), spoken(4, 5, 6, language="pt"), silence(1)
    await stage.say(*said)
    await stage.finish()
    assert stage.texts() == [words(1, 2, 3), words(4, 5, 6)]
    assert not any(item.prefix for item in stage.models.asked)


async def test_an_answer_that_goes_round_is_asked_for_alone() -> None:
    def going_round(item: AsrItem) -> Transcript:
        if not item.prefix:
            return written(item)
        heard = tuple(Word(0.0, 1.0, text, 0.9) for text in [item.prefix, *[" again"] * 9])
        text = " again" * 9
        segment = Segment(0.0, 1.0, text, (), 0.0, -0.1, 1.0, 0.0, heard, "en")
        return Transcript(text, "en", 1.0, (segment,))

    stage = Stage(ENGLISH)
    stage.models.writes = going_round
    await stage.say(spoken(1, 2, 3), silence(1), spoken(4, 5, 6), silence(1))
    await stage.finish()
    assert stage.texts() == [words(1, 2, 3), words(4, 5, 6)]


async def test_a_recogniser_that_takes_no_prefix_hears_each_alone() -> None:
    stage = Stage(ENGLISH)
    stage.models.takes_prefix = False
    await stage.say(spoken(1, 2, 3), silence(1), spoken(4, 5, 6), silence(1))
    await stage.finish()
    assert stage.texts() == [words(1, 2, 3), words(4, 5, 6)]
    assert not any(item.prefix for item in stage.models.asked)
