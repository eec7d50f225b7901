"""The judges of the bench of recognition."""

from __future__ import annotations

import pytest

from bench.said.judging import (
    Lost,
    Recovered,
    Repeated,
    broken_at,
    by_language,
    kept_repetition,
    occurrences,
    said_twice,
    words_lost,
)

LONG = "Please enter your number followed by the pound key and wait for the tone"


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        pytest.param("Please try again. Please try again.", "Please try again.", id="a-sentence"),
        pytest.param("Sorry. Sorry.", "Sorry.", id="one-word"),
        pytest.param("Sorry. Sorry. Sorry.", "Sorry.", id="one-word-three-times"),
        pytest.param(
            "Un momento, per piacere. Un momento, perpiacere.",
            "Un momento, perpiacere.",
            id="heard-otherwise-the-second-time",
        ),
        pytest.param(
            "The conference is locked. Conference is locked.",
            "The conference is locked.",
            id="a-word-less-the-second-time",
        ),
        pytest.param(
            "Нажмите решётку. Нажмите решетку.", "Нажмите решётку.", id="in-another-script"
        ),
        pytest.param(
            "Welcome. Press one to go on. Press one to go on. Goodbye.",
            "Welcome. Press one to go on. Goodbye.",
            id="a-passage-inside",
        ),
        pytest.param(
            f"{LONG}. {LONG.replace('tone', 'tones')}. Thank you for calling us today.",
            f"{LONG}. Thank you for calling us today.",
            id="a-long-passage-heard-otherwise",
        ),
        pytest.param(
            "it is now it is now it is now it is now it is now open", "it is now open", id="a-loop"
        ),
        pytest.param("no no no no", "no no", id="more-often-than-said"),
        pytest.param(
            "Try again. Try again. Try again.", "Try again. Try again.", id="three-times-for-two"
        ),
    ],
)
def test_what_is_said_twice_is_found(text: str, reference: str) -> None:
    assert said_twice(text, reference)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        pytest.param("", "Please try again.", id="nothing"),
        pytest.param("Hello", "Hello", id="one-word"),
        pytest.param("That is very very good.", "That is very good", id="very-very-good"),
        pytest.param("very very good", "very good", id="very-very-good-alone"),
        pytest.param("No no.", "no, no", id="no-no"),
        pytest.param("No, no, no.", "no no no", id="three-times-as-said"),
        pytest.param(
            "Please try again, please try again", "Please try again. " * 2, id="on-purpose"
        ),
        pytest.param("Please try again.", "Please try again. " * 2, id="less-often-than-said"),
        pytest.param(
            "bye bye for now my dear friend", "bye for now my dear friend", id="two-words"
        ),
        pytest.param(
            "to mute yourself press one to unmute yourself press two",
            "to mute yourself press one to unmute yourself press two",
            id="sentences-of-one-form",
        ),
        pytest.param(
            "la conferencia ha sido bloqueada. La conferencia ha sido desbloqueada.",
            "La conferencia ha sido bloqueada. La conferencia ha sido desbloqueada.",
            id="opposites",
        ),
        pytest.param(
            "Press one to go on. Wait. Press one to go on.",
            "Press one to go on. Wait. Press one to go on.",
            id="a-refrain",
        ),
        pytest.param("You are the only person in this conference.", "", id="no-reference"),
        pytest.param(
            "Four seven one, four seven one.", "four seven one four seven one", id="a-number"
        ),
        pytest.param(LONG, LONG, id="nothing-repeated"),
    ],
)
def test_what_is_not_said_twice_is_not(text: str, reference: str) -> None:
    assert said_twice(text, reference) == ()


def test_any_reference_excuses_a_repetition() -> None:
    text = "Please try again. Please try again."

    assert said_twice(text, "Please try again.", "please try again please try again") == ()


def test_what_is_repeated_is_told() -> None:
    text = (
        "Go. Press one to go on. Press one to go on. Press one to go on. Wait for it. Wait for it."
    )

    assert said_twice(text, "Go.") == (
        Repeated("press one to go on", 3),
        Repeated("wait for it", 2),
    )


@pytest.mark.parametrize(
    ("text", "passages", "times"),
    [
        pytest.param("Please try again. Please try again.", ["please try again"], 2, id="twice"),
        pytest.param("No, no, no.", ["no"], 3, id="a-word"),
        pytest.param("Please try a gain. Please try again.", ["please try again"], 2, id="nearly"),
        pytest.param("4712. 4712.", ["four seven one two", "4712"], 2, id="as-heard-alone"),
        pytest.param("47124712", ["4712"], 2, id="digits-run-together"),
        pytest.param("4 7 1 2, 4 7 1 2", ["4712"], 2, id="digits-apart"),
        pytest.param("Wait here. Go on. Wait here.", ["wait here"], 2, id="a-refrain"),
        pytest.param("Un momento. Unmomento.", ["un momento"], 2, id="words-joined"),
    ],
)
def test_a_repetition_is_kept(text: str, passages: list[str], times: int) -> None:
    assert kept_repetition(text, times, *passages)


@pytest.mark.parametrize(
    ("text", "passage", "times"),
    [
        pytest.param("Please try again.", "please try again", 2, id="once"),
        pytest.param("Please try again. " * 3, "please try again", 2, id="too-often"),
        pytest.param("Please try again. Please", "please try again", 2, id="broken-off"),
        pytest.param("", "no", 2, id="nothing"),
        pytest.param("Now, not.", "no", 2, id="other-words"),
        pytest.param("Anything at all", "", 0, id="no-passage"),
    ],
)
def test_a_repetition_is_not_kept(text: str, passage: str, times: int) -> None:
    assert not kept_repetition(text, times, passage)


@pytest.mark.parametrize(
    ("text", "passage", "count"),
    [
        pytest.param("one two three one two three", "one two three", 2, id="no-overlap"),
        pytest.param("the cat sat. A dog ran. The cat sat down.", "the cat sat", 2, id="apart"),
    ],
)
def test_occurrences_are_counted(text: str, passage: str, count: int) -> None:
    assert occurrences(text, passage) == count


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        pytest.param("a b c", "A, b. C!", Lost(3, 0, 0, 0), id="punctuation"),
        pytest.param("a c", "a b c", Lost(3, 1, 0, 0), id="a-word-lost"),
        pytest.param("a b x c", "a b c", Lost(3, 0, 1, 0), id="a-word-too-much"),
        pytest.param("a x c", "a b c", Lost(3, 0, 0, 1), id="another-word"),
        pytest.param("", "a b c", Lost(3, 3, 0, 0), id="nothing-heard"),
        pytest.param("a b", "", Lost(0, 0, 2, 0), id="nothing-said"),
    ],
)
def test_words_lost_are_counted(text: str, reference: str, expected: Lost) -> None:
    assert words_lost(text, reference) == expected


def test_the_error_rate_is_of_all_words_together() -> None:
    found = words_lost("a", "a b") + words_lost("a b c x", "a b c")

    assert found.wer == pytest.approx(2 / 5)


MIXED = [("en", "Please hold the line"), ("es", "por favor espere un momento")]


@pytest.mark.parametrize(
    ("text", "english", "spanish"),
    [
        pytest.param("Please hold the line. Por favor, espere un momento.", 4, 5, id="all"),
        pytest.param("Please hold the line.", 4, 0, id="one-language-lost"),
        pytest.param("por favor espere un momento", 0, 5, id="the-first-lost"),
        pytest.param("Please hold the line. Please wait here.", 4, 0, id="translated"),
        pytest.param("Please holds the line. Por favor espera un momento.", 4, 5, id="nearly"),
        pytest.param("", 0, 0, id="nothing"),
    ],
)
def test_words_are_counted_by_language(text: str, english: int, spanish: int) -> None:
    assert by_language(text, MIXED) == {"en": Recovered(4, english), "es": Recovered(5, spanish)}


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        pytest.param("Please stay on the line and wait.", False, id="whole"),
        pytest.param("Please stay on. The line and wait.", True, id="full-stop"),
        pytest.param("Please stay on... the line and wait.", True, id="dots"),
        pytest.param("Please stay on ... the line and wait.", True, id="dots-apart"),
        pytest.param("Please stay on… the line and wait.", True, id="an-ellipsis"),
        pytest.param("Please stay on ...the line and wait.", True, id="dots-behind"),
        pytest.param("Please stay on? The line and wait.", True, id="question"),
        pytest.param("Please stay on, the line and wait.", False, id="a-comma"),
        pytest.param("Please. Stay on the line and wait.", False, id="elsewhere"),
        pytest.param("Please stay in the line and wait.", False, id="misheard"),
        pytest.param("Please stay on. Uh. The line and wait.", True, id="a-word-between"),
        pytest.param("Please stay on.", False, id="the-rest-is-lost"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_a_broken_sentence_is_found(text: str, broken: bool) -> None:
    assert broken_at(text, "please stay on", "the line and wait") is broken
