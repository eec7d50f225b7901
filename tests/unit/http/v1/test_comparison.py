"""Voices compared: cosines, their order, and the threshold by the length of the speech."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from deployments.graph.voice_embeddings import LITTLE_SPEECH, NO_SPEECH, HeardVoice
from deployments.http.v1.comparison import (
    THRESHOLDS,
    Comparison,
    Thresholds,
    compare,
    threshold_of,
)
from models.types import AnswerWarning, Voiceprint


def voice(angle_deg: float, speech_s: float | None = 5.0) -> HeardVoice:
    angle = np.deg2rad(angle_deg)
    vector = np.array([np.cos(angle), np.sin(angle)], np.float32)
    return HeardVoice(Voiceprint(vector), speech_s)


def judged(
    one_s: float | None, other_s: float | None, threshold: float | None = None
) -> Comparison:
    """The same voice in clips of so much speech."""
    (row,) = compare([voice(0, one_s)], [voice(0, other_s)], engine="ge2e", threshold=threshold)
    return row


def test_the_cosine_is_that_of_the_angle() -> None:
    (row,) = compare([voice(0)], [voice(60)], engine="sleep")
    assert row.cosine == pytest.approx(0.5, abs=1e-6)


def test_the_nearest_comes_first() -> None:
    rows = compare([voice(0)], [voice(90), voice(10), voice(180)], engine="sleep")
    assert [(row.rank, row.compare_index) for row in rows] == [(1, 1), (2, 0), (3, 2)]


def test_equals_keep_their_order() -> None:
    rows = compare([voice(0)], [voice(20)] * 5, engine="sleep")
    assert [row.compare_index for row in rows] == [0, 1, 2, 3, 4]


def test_each_voice_has_its_own_nearest() -> None:
    rows = compare([voice(0), voice(90)], [voice(80), voice(10)], engine="sleep", top_k=1)
    assert [(row.index, row.compare_index) for row in rows] == [(0, 1), (1, 0)]


def test_the_threshold_itself_is_one_speaker() -> None:
    rows = compare([voice(0)], [voice(0), voice(90)], engine="sleep", threshold=1.0)
    assert [row.same_speaker for row in rows] == [True, False]


def test_rounding_makes_no_cosine_above_1() -> None:
    long = HeardVoice(Voiceprint(np.array([1.0001, 0], np.float32)))
    (row,) = compare([long], [long], engine="sleep")
    assert row.cosine == 1.0


# ---- how much speech there was -----------------------------------------------------------

SMALLER: dict[str, tuple[float | None, float | None, float | None]] = {
    "the first": (1.0, 3.0, 1.0),
    "the second": (3.0, 1.0, 1.0),
    "one not known": (None, 2.0, 2.0),
    "neither known": (None, None, None),
    "in milliseconds": (1.23456, 9.0, 1.235),
}


@pytest.mark.parametrize(("one", "other", "expected"), SMALLER.values(), ids=SMALLER)
def test_the_clip_with_less_speech_counts(
    one: float | None, other: float | None, expected: float | None
) -> None:
    assert judged(one, other).speech_s == expected


@pytest.mark.parametrize("engine", THRESHOLDS)
def test_it_does_not_matter_which_clip_is_the_shorter(engine: str) -> None:
    lengths = [0.2, 0.7, 1.3, 2.5, 9.0]
    for one_s, other_s in combinations(lengths, 2):
        there, back = threshold_of(engine, one_s, other_s), threshold_of(engine, other_s, one_s)
        assert there == pytest.approx(back, abs=2e-4)


def test_each_pair_is_judged_by_its_own_speech() -> None:
    rows = compare([voice(0)], [voice(0, 0.5), voice(0, 5.0)], engine="ge2e")
    short, long = (row.threshold for row in rows)
    assert short is not None
    assert long is not None
    assert short < long


RAMP = Thresholds((1.0, 3.0), ((0.2, 0.4), (0.4, 0.8)))
POINTS: dict[str, tuple[float | None, float | None, float]] = {
    "a point": (1.0, 3.0, 0.4),
    "between two": (2.0, 1.0, 0.3),
    "between four": (2.0, 2.0, 0.45),
    "below all": (0.0, 0.5, 0.2),
    "beyond all": (60.0, 7.0, 0.8),
    "one not known": (None, 1.0, 0.4),
    "neither known": (None, None, 0.8),
}


@pytest.mark.parametrize(("one_s", "other_s", "expected"), POINTS.values(), ids=POINTS)
def test_straight_lines_lie_between_the_points(
    one_s: float | None, other_s: float | None, expected: float
) -> None:
    assert RAMP.at(one_s, other_s) == expected


def test_an_unknown_engine_has_no_threshold() -> None:
    assert threshold_of("sleep", 3.0, 3.0) is None


@pytest.mark.parametrize("speech_s", [0.5, 5.0, None], ids=["short", "long", "not known"])
def test_the_callers_threshold_comes_first(speech_s: float | None) -> None:
    assert judged(speech_s, speech_s, threshold=0.25).threshold == 0.25


@pytest.mark.parametrize("threshold", [None, -1.0], ids=["the engine's", "the caller's"])
def test_without_speech_nobody_is_judged(threshold: float | None) -> None:
    assert judged(0.0, 5.0, threshold).same_speaker is None


WARNINGS: dict[str, tuple[float | None, tuple[AnswerWarning, ...]]] = {
    "none": (0.0, (NO_SPEECH,)),
    "little": (0.999, (LITTLE_SPEECH,)),
    "enough": (1.0, ()),
    "not known": (None, ()),
}


@pytest.mark.parametrize(("speech_s", "expected"), WARNINGS.values(), ids=WARNINGS)
def test_too_little_speech_is_told(
    speech_s: float | None, expected: tuple[AnswerWarning, ...]
) -> None:
    assert voice(0, speech_s).warnings == expected
