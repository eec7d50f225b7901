"""Voices compared: cosines, their order, and the threshold."""

from __future__ import annotations

import numpy as np
import pytest

from deployments.ingress.comparison import THRESHOLDS, compare, threshold_of
from models.types import Voiceprint


def voice(angle_deg: float) -> Voiceprint:
    angle = np.deg2rad(angle_deg)
    return Voiceprint(np.array([np.cos(angle), np.sin(angle)], np.float32))


def test_the_cosine_is_that_of_the_angle() -> None:
    (row,) = compare([voice(0)], [voice(60)], threshold=None)
    assert row.cosine == pytest.approx(0.5, abs=1e-6)


def test_the_nearest_comes_first() -> None:
    rows = compare([voice(0)], [voice(90), voice(10), voice(180)], threshold=None)
    assert [(row.rank, row.compare_index) for row in rows] == [(1, 1), (2, 0), (3, 2)]


def test_equals_keep_their_order() -> None:
    rows = compare([voice(0)], [voice(20)] * 5, threshold=None)
    assert [row.compare_index for row in rows] == [0, 1, 2, 3, 4]


def test_each_voice_has_its_own_nearest() -> None:
    rows = compare([voice(0), voice(90)], [voice(80), voice(10)], threshold=None, top_k=1)
    assert [(row.index, row.compare_index) for row in rows] == [(0, 1), (1, 0)]


def test_the_threshold_itself_is_one_speaker() -> None:
    rows = compare([voice(0)], [voice(0), voice(90)], threshold=1.0)
    assert [row.same_speaker for row in rows] == [True, False]


def test_rounding_makes_no_cosine_above_1() -> None:
    long = Voiceprint(np.array([1.0001, 0], np.float32))
    (row,) = compare([long], [long], threshold=None)
    assert row.cosine == 1.0


def test_the_callers_threshold_comes_first() -> None:
    assert [threshold_of("ge2e", asked) for asked in (None, 0.0)] == [THRESHOLDS["ge2e"], 0.0]
