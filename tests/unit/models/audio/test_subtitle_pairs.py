"""Bilingual subtitles: what was said above, its translation below, part by part."""

from __future__ import annotations

import pytest

from models.audio.subtitles import Phrase, lay_out_pairs

ENGLISH = (
    "In order for this to work, you must be connected to the Internet, "
    "because nothing else leads to the server."
)
SPANISH = (
    "Para que esto funcione, ya debe estar conectado a Internet, "
    "porque ninguna otra cosa lleva a él."
)


def pair(first: str, second: str, start_s: float = 0, end_s: float = 9) -> tuple[Phrase, Phrase]:
    return Phrase(start_s, end_s, first, None, "en"), Phrase(0, 0, second, None, "es")


def test_parts_stand_beside_their_translation() -> None:
    assert [cue.lines for cue in lay_out_pairs([pair(ENGLISH, SPANISH)])] == [
        ("In order for this to work,", "Para que esto funcione,"),
        ("you must be connected to the Internet,", "ya debe estar conectado a Internet,"),
        ("because nothing else leads to the server.", "porque ninguna otra cosa lleva a él."),
    ]


def test_a_pair_that_fits_has_one_line_a_language() -> None:
    (cue,) = lay_out_pairs(
        [pair("Please try again later.", "Por favor, inténtelo más tarde.", 0, 3)]
    )
    assert cue.lines == ("Please try again later.", "Por favor, inténtelo más tarde.")


def test_the_times_are_those_of_the_original() -> None:
    cues = lay_out_pairs([pair(ENGLISH, SPANISH, 100, 109)])
    assert (cues[0].start_s, cues[-1].end_s) == (100, 109)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("Yes.", " ".join(["palabra"] * 60), id="a long translation"),
        pytest.param(" ".join(["word"] * 80), "Sí.", id="a short translation"),
        pytest.param("", SPANISH, id="nothing above"),
        pytest.param(ENGLISH, "", id="nothing below"),
        pytest.param("x" * 300, SPANISH, id="a word without a space"),
    ],
)
def test_no_text_is_lost_where_the_two_differ_much(first: str, second: str) -> None:
    found = [line for cue in lay_out_pairs([pair(first, second)]) for line in cue.lines]
    assert sorted("".join(found).replace(" ", "")) == sorted((first + second).replace(" ", ""))


def test_pairs_without_text_are_no_cues() -> None:
    assert lay_out_pairs([pair("", " ")]) == []
