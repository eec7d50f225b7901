"""Sentences of a transcript: their times, their languages, and those that windows cut through."""

from __future__ import annotations

import pytest

from deployments.graph.sentences import (
    Sentence,
    is_open,
    timed_sentences,
    with_open,
    without_silence,
)
from models.types import Segment, SpeechSpan, Transcript, Word


def transcript(*segments: tuple[float, float, str]) -> Transcript:
    made = tuple(Segment(s, e, text, (), 0.0, 0.0, 1.0, 0.0) for s, e, text in segments)
    return Transcript(" ".join(s.text.strip() for s in made), "en", 1.0, made)


def test_a_sentence_over_two_segments_spans_both() -> None:
    heard = transcript((1.0, 2.0, " Please hold"), (2.5, 4.0, " while I try."))
    assert [(s.start_s, s.end_s, s.text) for s in timed_sentences(heard)] == [
        (1.0, 4.0, "Please hold while I try.")
    ]


def test_two_sentences_in_one_segment_share_its_time_by_their_length() -> None:
    first, second = timed_sentences(transcript((0.0, 2.0, " Go home. Go away.")))
    times_s = [first.start_s, first.end_s, second.start_s, second.end_s]
    assert times_s == pytest.approx([0.0, 2 * 8 / 17, 2 * 9 / 17, 2.0], abs=0.001)


def test_a_gap_between_segments_belongs_to_no_sentence() -> None:
    first, second = timed_sentences(transcript((0.0, 1.0, " One."), (5.0, 6.0, " Two.")))
    assert (first.end_s, second.start_s) == (1.0, 5.0)


def test_a_sentence_begins_and_ends_with_its_words_where_their_times_are_known() -> None:
    words = tuple(
        Word(at_s, at_s + 0.3, text, 1.0)
        for at_s, text in ((0.5, " Go"), (1.0, " home."), (4.0, " Go"), (4.5, " away."))
    )
    segment = Segment(0.0, 5.0, " Go home. Go away.", (), 0.0, 0.0, 1.0, 0.0, words)
    sentences = timed_sentences(Transcript("Go home. Go away.", "en", 1.0, (segment,)))
    times_s = [(each.start_s, each.end_s) for each in sentences]
    assert times_s == [(0.5, 1.3), (4.0, 4.8)]


def test_words_that_are_not_those_of_the_text_tell_no_times() -> None:
    words = (Word(0.5, 0.8, " Come", 1.0),)
    segment = Segment(0.0, 2.0, " Go home.", (), 0.0, 0.0, 1.0, 0.0, words)
    (only,) = timed_sentences(Transcript("Go home.", "en", 1.0, (segment,)))
    assert (only.start_s, only.end_s) == (0.0, 2.0)


def sentence(start_s: float, end_s: float, text: str, language: str = "en") -> Sentence:
    return Sentence(start_s, end_s, text, language=language)


@pytest.mark.parametrize(
    ("speech", "times_s"),
    [
        pytest.param([(1.2, 2.8)], (1.2, 2.8), id="silence-at-both-ends"),
        pytest.param([(0.0, 5.0)], (1.0, 3.0), id="within-speech"),
        pytest.param([(0.0, 0.9), (1.3, 1.8), (2.0, 2.5), (3.1, 4.0)], (1.3, 2.5), id="of-many"),
        pytest.param([(0.0, 0.9)], (1.0, 3.0), id="no-speech-there"),
    ],
)
def test_a_sentence_begins_and_ends_with_speech(
    speech: list[tuple[float, float]], times_s: tuple[float, float]
) -> None:
    found = without_silence(sentence(1.0, 3.0, "Go."), [SpeechSpan(*each) for each in speech])
    assert (found.start_s, found.end_s) == times_s


@pytest.mark.parametrize(
    ("text", "open_"),
    [
        ("Please hold the", True),
        ("Please hold...", True),
        ("Please,", True),
        ("Please hold.", False),
        ("Who is it?", False),
        ("请稍等。", False),
    ],
)
def test_a_sentence_is_open_where_it_has_no_end(text: str, open_: bool) -> None:
    assert is_open(sentence(0, 1, text)) is open_


def test_an_open_sentence_ends_in_the_next_window() -> None:
    before, following = sentence(0, 2, "Please hold..."), sentence(5, 6, "the line.")
    (whole, rest) = with_open(before, [following, sentence(6, 7, "Thanks.")])
    assert (whole.text, whole.start_s, whole.end_s) == ("Please hold the line.", 0, 6)
    assert rest.text == "Thanks."


@pytest.mark.parametrize(
    "following",
    [
        pytest.param([], id="nothing-follows"),
        pytest.param([sentence(5, 6, "la ligne.", "fr")], id="in-another-language"),
        pytest.param([sentence(60, 61, "the line.")], id="long-after"),
    ],
)
def test_an_open_sentence_stays_alone(following: list[Sentence]) -> None:
    before = sentence(0, 2, "Please hold")
    assert with_open(before, following) == [before, *following]


def test_sentences_are_of_one_language() -> None:
    heard = Transcript(
        "Good bon",
        "en",
        1.0,
        (
            Segment(0, 1, "Good", (), 0.0, -0.1, 1.0, 0.0, language="en"),
            Segment(1, 2, "bon", (), 0.0, -0.1, 1.0, 0.0, language="fr"),
        ),
    )
    assert [(s.text, s.language) for s in timed_sentences(heard)] == [("Good", "en"), ("bon", "fr")]


def test_a_sentence_is_as_sure_as_its_segments() -> None:
    first = Segment(0, 1, "Hello", (), 0.0, -0.5, 1.0, 0.1, language="en")
    second = Segment(1, 2, "there.", (), 0.0, -1.5, 1.0, 0.7, language="en")
    (heard,) = timed_sentences(Transcript("", "en", 1.0, (first, second)))
    assert (round(heard.avg_logprob, 2), heard.no_speech_prob) == (-1.05, 0.7)
    assert [warning.code for warning in heard.warnings] == ["unsure_text", "unsure_speech"]


@pytest.mark.parametrize(
    ("probability", "codes"), [(0.4, ["unsure_language"]), (0.6, [])], ids=["unsure", "sure"]
)
def test_a_sentence_says_where_its_language_is_not_sure(
    probability: float, codes: list[str]
) -> None:
    segment = Segment(0, 1, "Hello.", (), 0.0, -0.2, 1.0, 0.1, language="en")
    (heard,) = timed_sentences(Transcript("", "en", probability, (segment,)))
    assert [warning.code for warning in heard.warnings] == codes


def test_no_segments_are_no_sentences() -> None:
    assert timed_sentences(transcript()) == []


# ---- the voice to speak in ---------------------------------------------------------------
