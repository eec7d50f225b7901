"""The language of a turn: what is usual in its session needs less to be believed."""

import pytest

from deployments.live.turn_language import early_language, settled

Case = tuple[dict[str, float], tuple[str, ...], tuple[str, ...], float, str | None]
EARLY: dict[str, Case] = {
    "a sure one": ({"it": 0.96, "en": 0.04}, ("en",), (), 1.2, "it"),
    "a clear one that is usual": ({"en": 0.85, "it": 0.15}, ("en",), (), 1.2, "en"),
    "a clear one that is new": ({"it": 0.85, "en": 0.15}, ("en",), (), 3.0, None),
    "a doubtful one that is usual": ({"en": 0.7, "it": 0.3}, ("en",), (), 3.0, None),
    "the first one, early": ({"en": 0.85, "it": 0.15}, (), (), 1.2, None),
    "the first one, later": ({"en": 0.85, "it": 0.15}, (), (), 2.0, "en"),
    "too little speech": ({"en": 0.99}, ("en",), (), 0.9, None),
    "of those that are allowed": ({"ru": 0.6, "fr": 0.39, "en": 0.01}, (), ("fr",), 1.0, "fr"),
    "nothing heard": ({}, ("en",), (), 3.0, None),
}


@pytest.mark.parametrize("case", EARLY.values(), ids=EARLY)
def test_a_language_is_told_early(case: Case) -> None:
    found, known, allowed, heard_s, expected = case
    assert early_language(tuple(found.items()), known, allowed, heard_s) == expected


SETTLED: dict[str, tuple[dict[str, float], tuple[str, ...], bool]] = {
    "the first one": ({"it": 0.85}, (), True),
    "a usual one": ({"it": 0.85}, ("en", "it"), True),
    "a new one": ({"it": 0.85}, ("en",), False),
    "a new one that is sure": ({"it": 0.96}, ("en",), True),
    "a doubtful one": ({"it": 0.7}, (), False),
    "nothing": ({}, (), False),
}


@pytest.mark.parametrize("case", SETTLED.values(), ids=SETTLED)
def test_a_new_language_must_be_sure(case: tuple[dict[str, float], tuple[str, ...], bool]) -> None:
    found, known, expected = case
    assert settled(tuple(found.items()), known) is expected
