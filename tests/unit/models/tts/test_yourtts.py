"""YourTTS without its network: speakers, windows, decoder passes, numbers and options."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.errors import WeightsError
from models.tts.yourtts.checkpoint import speakers
from models.tts.yourtts.network import Limits, passes
from models.tts.yourtts.options import Options
from models.tts.yourtts.reference_voices import WINDOWS, windows
from models.tts.yourtts.text import with_numbers_written_out


def clip(name: str, *embedding: float) -> dict[str, Any]:
    return {"name": name, "embedding": list(embedding)}


# ---- speakers ----------------------------------------------------------------------------


def test_a_speaker_is_the_mean_of_its_clips() -> None:
    found = speakers({"1.wav": clip("ann", 1.0, 0.0), "2.wav": clip("ann", 0.0, 3.0)})

    np.testing.assert_array_equal(found["ann"], np.array([0.5, 1.5], np.float32))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(["ann\n"], ["ann"], id="line-break"),
        pytest.param(["ann\n", "ann"], ["ann", "ann-2"], id="two-spellings"),
        pytest.param(["ann ", "ann\n", "ann"], ["ann", "ann-2", "ann-3"], id="three-spellings"),
        pytest.param(["ann", "ann\n", "ann-2"], ["ann", "ann-2", "ann-3"], id="taken"),
    ],
)
def test_speakers_have_names_of_their_own(names: list[str], expected: list[str]) -> None:
    found = speakers({f"{place}.wav": clip(name, place) for place, name in enumerate(names)})

    assert sorted(found) == expected


def test_the_plain_spelling_keeps_its_name() -> None:
    found = speakers({"1.wav": clip("ann\n", 1.0), "2.wav": clip("ann", 2.0)})

    assert found["ann"] == [2.0]


@pytest.mark.parametrize(
    "clips",
    [
        pytest.param({}, id="none"),
        pytest.param({"1.wav": {"name": "ann"}}, id="no-embedding"),
        pytest.param({"1.wav": [1.0]}, id="no-name"),
        pytest.param({"1.wav": clip("ann", 1.0), "2.wav": clip("bob", 1.0, 2.0)}, id="sizes"),
        pytest.param({"1.wav": {"name": "ann", "embedding": "long"}}, id="no-numbers"),
    ],
)
def test_other_speaker_files_are_refused(clips: Any) -> None:
    with pytest.raises(WeightsError, match=r"speakers\.json"):
        speakers(clips)


# ---- windows -----------------------------------------------------------------------------


def test_a_long_clip_has_evenly_spaced_windows() -> None:
    found = windows(np.arange(100, dtype=np.float32), 10)

    assert [int(window[0]) for window in found] == [10 * place for place in range(WINDOWS)]


@pytest.mark.parametrize("length", [1, 9, 10])
def test_a_short_clip_is_one_window(length: int) -> None:
    assert [len(window) for window in windows(np.ones(length, np.float32), 10)] == [length]


# ---- decoder passes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "pass_frames", "max_padding", "expected"),
    [
        pytest.param([], 100, 0.5, [], id="none"),
        pytest.param([10, 30, 20], 1000, 0.9, [[1, 2, 0]], id="together-longest-first"),
        pytest.param([10, 30, 30], 1000, 0.0, [[1, 2], [0]], id="no-padding"),
        pytest.param([10, 30, 20], 1000, 0.25, [[1, 2], [0]], id="some-padding"),
        pytest.param([10, 10, 10], 20, 0.5, [[0, 1], [2]], id="full-pass"),
        pytest.param([50], 20, 0.5, [[0]], id="one-is-never-refused"),
    ],
)
def test_rows_share_a_pass_within_the_limits(
    frames: list[int], pass_frames: int, max_padding: float, expected: list[list[int]]
) -> None:
    limits = Limits(row_frames=100, pass_frames=pass_frames, max_padding=max_padding)

    assert passes(frames, limits) == expected


# ---- numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        pytest.param("No digits.", "en", "No digits.", id="none"),
        pytest.param("I am 25.", "en", "I am twenty-five.", id="en"),
        pytest.param("Tenho 25 anos.", "pt", "Tenho vinte e cinco anos.", id="pt"),
        pytest.param("J'ai 25 ans.", "fr", "J'ai vingt-cinq ans.", id="fr"),
        pytest.param("It is 3.5 m.", "en", "It is three point five m.", id="en-decimals"),
        pytest.param("São 3,5 m.", "pt", "São três vírgula cinco m.", id="pt-decimals"),
        pytest.param("1,000 men", "en", "one thousand men", id="en-groups"),
        pytest.param("1.000 homens", "pt", "mil homens", id="pt-groups"),
        pytest.param("2 000 ans", "fr", "deux mille ans", id="fr-groups"),
        pytest.param("Agent 007", "en", "Agent zero zero seven", id="leading-zeros"),
        pytest.param("in 1, 2", "en", "in one, two", id="list"),
        pytest.param("0", "en", "zero", id="zero"),
        pytest.param("5" * 20, "en", " ".join(["five"] * 20), id="very-long"),
        pytest.param("25 Jahre", "de", "25 Jahre", id="other-language"),
    ],
)
def test_numbers_are_written_out(text: str, language: str, expected: str) -> None:
    assert with_numbers_written_out(text, language) == expected


# ---- options -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"max_chars": 0}, id="max_chars"),
        pytest.param({"max_padding": 1.0}, id="max_padding"),
        pytest.param({"min_reference_s": 31.0}, id="min_reference_s"),
        pytest.param({"remembered_references": -1}, id="remembered_references"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Options(**options)
