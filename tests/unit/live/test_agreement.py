"""Local agreement: which words two updates make sure, and what comes behind a prefix."""

from __future__ import annotations

import pytest

from deployments.live.agreement import Heard, agreed, behind, text_of
from models.types import Word


def heard(text: str) -> list[Heard]:
    """Each word takes a second."""
    return [Heard(f" {word}", n, n + 1.0) for n, word in enumerate(text.split())]


@pytest.mark.parametrize(
    ("before", "now", "until_s", "count"),
    [
        pytest.param("one two", "one two three", 9, 2, id="the same start"),
        pytest.param("one too", "one two three", 9, 1, id="another word"),
        pytest.param("One, two", "one two.", 9, 2, id="case and marks do not count"),
        pytest.param("one two three", "one two three", 2, 2, id="the last word is too new"),
        pytest.param("", "one", 9, 0, id="the first update"),
        pytest.param("one two", "", 9, 0, id="nothing is heard any more"),
        pytest.param("two", "one two", 9, 0, id="a word before"),
    ],
)
def test_words_are_sure_that_two_updates_begin_with(
    before: str, now: str, until_s: float, count: int
) -> None:
    assert agreed(heard(before), heard(now), until_s) == count


@pytest.mark.parametrize(
    ("prefix", "rest"),
    [
        pytest.param("", [" one", " two.", " three"], id="none"),
        pytest.param(" one", [" two.", " three"], id="whole words"),
        pytest.param(" one two", [".", " three"], id="a mark that joins the last word"),
        pytest.param(" one two. three", [], id="all of it"),
    ],
)
def test_what_comes_behind_a_prefix(prefix: str, rest: list[str]) -> None:
    said = [Word(0, 1, " one", 1), Word(1, 2, " two.", 1), Word(2, 3, " three", 1)]
    found = behind(prefix, said, offset_s=10.0)
    assert [word.text for word in found] == rest
    assert prefix + text_of(found) == " one two. three"
    assert all(word.end_s in (11, 12, 13) for word in found)
