"""Texts that are said twice are told from texts that are not."""

from __future__ import annotations

import pytest

from models.asr.repeats import is_said_twice, repeats_the_end

TWICE = [
    "Затем нажмите решетку. Затем нажмите решетку.",
    "To decrease the audio from other participants. "
    "To decrease the audio volume from other participants.",
    "il numero non sta rispondendo il numero non sta rispondendo",
    "М-I-S-D-N-M-I-S-D-N",
    "Please hold. Please hold. Please hold.",
    "per uscire dal menu, per uscire dalmeno",
    "请按井号键。请按井号键。请按井号键。",
]
ONCE = [
    "",
    "No, no.",
    "Bye bye.",
    "Please hold while I try to locate the person you are calling.",
    "Press one for sales, press two for service.",
    "Your number is 55 55 12.",
    "very very good",
    "To hear this again press one. To hear the next message press two.",
    "I said that she said that he had said it.",
]


@pytest.mark.parametrize("text", TWICE)
def test_a_text_that_is_said_twice(text: str) -> None:
    assert is_said_twice(text)


@pytest.mark.parametrize("text", ONCE)
def test_a_text_that_is_said_once(text: str) -> None:
    assert not is_said_twice(text)


def test_a_long_text_is_judged_in_bounded_time() -> None:
    assert not is_said_twice("a very long text, with no end. " * 10_000)


@pytest.mark.parametrize(
    ("before", "text", "repeats"),
    [
        pytest.param("Press the pound key.", "the pound key", True, id="its-end"),
        pytest.param("Press the pound key.", "The round key.", True, id="nearly-its-end"),
        pytest.param("Press the pound key.", "Press star to exit.", False, id="something-else"),
        pytest.param("No.", "No, not now.", False, id="more-than-was-said"),
        pytest.param("Press the pound key.", "...", False, id="no-words"),
    ],
)
def test_what_is_heard_once_more(before: str, text: str, repeats: bool) -> None:
    assert repeats_the_end(before, text) is repeats
