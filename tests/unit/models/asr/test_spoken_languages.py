"""The language of each stretch: clear ones tell it, doubtful ones are tried, short ones follow."""

from __future__ import annotations

import pytest

from models.asr.spoken_languages import (
    MOST_TRIED,
    Languages,
    clear_languages,
    filled,
    is_clear,
    to_try,
)

CLEAR: Languages = (("es", 0.9), ("it", 0.1))
DOUBTFUL: Languages = (("it", 0.5), ("es", 0.3), ("la", 0.1), ("en", 0.01))


def test_a_likely_language_is_clear() -> None:
    assert is_clear(CLEAR)


@pytest.mark.parametrize("found", [DOUBTFUL, ()], ids=["doubtful", "none"])
def test_what_is_not_clear(found: Languages) -> None:
    assert not is_clear(found)


def test_the_languages_of_a_recording_are_those_clearly_heard() -> None:
    assert clear_languages([CLEAR, DOUBTFUL, (("en", 0.8),), CLEAR]) == ("es", "en")


@pytest.mark.parametrize(
    ("known", "allowed", "expected"),
    [
        pytest.param((), (), ("it", "es"), id="the-likeliest"),
        pytest.param(("en",), (), ("it", "es", "en"), id="and-those-of-the-recording"),
        pytest.param((), ("es", "en"), ("es", "en"), id="of-those-allowed"),
        pytest.param(("la",), ("en",), ("en", "la"), id="a-known-one-is-allowed"),
        pytest.param((), ("xx",), (), id="none-allowed"),
    ],
)
def test_languages_to_try(
    known: tuple[str, ...], allowed: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert to_try(DOUBTFUL, known, allowed) == expected


def test_few_languages_are_tried() -> None:
    found = tuple((f"l{number}", 0.01) for number in range(99))
    names = [name for name, _ in found]
    assert len(to_try(found, known=names, allowed=names)) == MOST_TRIED


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([None, None], [None, None], id="nothing-known"),
        pytest.param([("en", 1.0), None], [("en", 1.0)] * 2, id="before"),
        pytest.param([None, ("en", 1.0)], [("en", 1.0)] * 2, id="behind"),
        pytest.param(
            [("en", 1.0), None, ("es", 0.9)],
            [("en", 1.0), ("en", 1.0), ("es", 0.9)],
            id="the-earlier-of-two",
        ),
    ],
)
def test_a_short_stretch_has_its_neighbours_language(
    chosen: list[tuple[str, float] | None], expected: list[tuple[str, float] | None]
) -> None:
    assert filled(chosen) == expected
