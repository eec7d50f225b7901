"""Windows cover all speech, in order, apart and within their limit; pauses in them are short."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.audio.segments import KEPT_PAUSE_S, MAX_PAUSE_S, Window, stretches, windows
from models.types import SAMPLE_RATE_HZ, Audio, SpeechSpan

DURATION_S = 200.0
SAMPLE_S = 1 / SAMPLE_RATE_HZ
Pairs = list[tuple[float, float]]

spans_of_any_kind = st.lists(
    st.tuples(st.floats(0, DURATION_S), st.floats(0, 80)).map(
        lambda pair: SpeechSpan(pair[0], min(pair[0] + pair[1], DURATION_S))
    ),
    max_size=20,
)
limits_s = st.floats(2, 40)


def pairs(spans: Sequence[SpeechSpan]) -> Pairs:
    return [(span.start_s, span.end_s) for span in spans]


def cut(*spans: tuple[float, float]) -> tuple[Window, ...]:
    return windows([SpeechSpan(*span) for span in spans], DURATION_S)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param([], [], id="silence"),
        pytest.param([(1, 3)], [[(1, 3)]], id="one"),
        pytest.param([(1, 3), (4, 6)], [[(1, 6)]], id="a-short-pause-is-kept"),
        pytest.param([(1, 3), (8, 9)], [[(1, 3.5), (7.5, 9)]], id="a-long-pause-is-shortened"),
        pytest.param([(1, 3), (15, 16)], [[(1, 3.5), (14.5, 16)]], id="the-longest-pause"),
        pytest.param([(1, 3), (15.1, 16)], [[(1, 3)], [(15.1, 16)]], id="a-silence-is-left-out"),
        pytest.param([(0, 20), (21, 29)], [[(0, 29)]], id="fills-up-to-the-limit"),
        pytest.param([(0, 20), (26, 34)], [[(0, 20.5), (25.5, 34)]], id="by-what-is-heard"),
        pytest.param([(0, 20), (21, 31)], [[(0, 20)], [(21, 31)]], id="cut-in-silence"),
        pytest.param(
            [(0, 21), (21.9, 26), (26.1, 29), (29.2, 33)],
            [[(0, 21)], [(21.9, 33)]],
            id="cut-at-the-longest-pause-of-its-last-third",
        ),
        pytest.param(
            [(0, 5), (6, 27), (27.2, 33)],
            [[(0, 27)], [(27.2, 33)]],
            id="not-at-an-early-pause",
        ),
        pytest.param([(0, 30)], [[(0, 30)]], id="just-the-limit"),
        pytest.param([(0, 60)], [[(0, 30)], [(30, 60)]], id="cut-through-without-a-silence"),
        pytest.param([(0, 45)], [[(0, 22.5)], [(22.5, 45)]], id="into-equal-parts"),
        pytest.param([(0, 10), (10, 35)], [[(0, 10)], [(10, 35)]], id="touching-spans-may-part"),
        pytest.param([(0, 10), (5, 12)], [[(0, 12)]], id="overlapping-spans-are-one"),
        pytest.param([(4, 6), (1, 3)], [[(1, 6)]], id="any-order"),
        pytest.param([(198, 210)], [[(198, 200)]], id="not-beyond-the-audio"),
        pytest.param([(-1, 2), (3, 3)], [[(0, 2)]], id="empty-spans-are-dropped"),
    ],
)
def test_windows(spans: Pairs, expected: list[Pairs]) -> None:
    assert [pairs(window.pieces) for window in cut(*spans)] == expected


def test_speech_is_told_in_the_time_of_its_window() -> None:
    (window,) = cut((10, 13), (14, 15), (21, 22))
    assert pairs(window.speech) == [(0, 3), (4, 5), (6, 7)]


def test_the_samples_of_a_window_are_its_pieces() -> None:
    seconds = np.repeat(np.arange(30, dtype=np.int16), SAMPLE_RATE_HZ)
    (window,) = cut((2, 4), (10, 12))
    heard = window.cut(Audio(seconds))[:: SAMPLE_RATE_HZ // 2]
    assert heard.tolist() == [2, 2, 3, 3, 4, 9, 10, 10, 11, 11]


@pytest.mark.parametrize(
    ("at_s", "start_s", "end_s"),
    [
        pytest.param(0.0, 2.0, 2.0, id="at-the-start"),
        pytest.param(1.5, 3.5, 3.5, id="in-the-first-piece"),
        pytest.param(2.5, 9.5, 4.5, id="at-the-cut"),
        pytest.param(3.0, 10.0, 10.0, id="in-the-second-piece"),
        pytest.param(5.0, 12.0, 12.0, id="at-the-end"),
    ],
)
def test_times_lie_in_the_recording(at_s: float, start_s: float, end_s: float) -> None:
    (window,) = cut((2, 4), (10, 12))
    assert window.start_in_recording_s(at_s) == pytest.approx(start_s)
    assert window.end_in_recording_s(at_s) == pytest.approx(end_s)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param([(0, 8)], [(0, 8)], id="short"),
        pytest.param([(0, 12), (13, 14)], [(0, 6), (6, 12), (13, 14)], id="long"),
        pytest.param([(1, 25)], [(1, 9), (9, 17), (17, 25)], id="very-long"),
    ],
)
def test_stretches_are_of_equal_length(spans: Pairs, expected: Pairs) -> None:
    assert pairs(stretches([SpeechSpan(*span) for span in spans], 8.0)) == expected


@given(spans_of_any_kind, limits_s)
def test_every_span_is_covered(spans: list[SpeechSpan], limit_s: float) -> None:
    pieces = [piece for window in windows(spans, DURATION_S, limit_s) for piece in window.pieces]
    for span in spans:  # times are rounded to samples: half a sample at each end
        inside = [
            min(span.end_s, piece.end_s) - max(span.start_s, piece.start_s)
            for piece in pieces
            if piece.start_s < span.end_s and piece.end_s > span.start_s
        ]
        assert sum(inside) == pytest.approx(span.end_s - span.start_s, abs=2 * SAMPLE_S)


@given(spans_of_any_kind, limits_s)
def test_pieces_are_in_order_and_apart(spans: list[SpeechSpan], limit_s: float) -> None:
    found = windows(spans, DURATION_S, limit_s)
    edges = [edge for window in found for pair in pairs(window.pieces) for edge in pair]
    assert edges == sorted(edges)


@given(spans_of_any_kind, limits_s)
def test_no_window_has_more_samples_than_the_limit(spans: list[SpeechSpan], limit_s: float) -> None:
    silence = Audio(np.zeros(round(DURATION_S) * SAMPLE_RATE_HZ, np.int8))  # type: ignore[arg-type]
    for window in windows(spans, DURATION_S, limit_s):
        assert 0 < len(window.cut(silence)) <= round(limit_s * SAMPLE_RATE_HZ)


@given(spans_of_any_kind, limits_s)
def test_no_pause_in_a_window_is_long(spans: list[SpeechSpan], limit_s: float) -> None:
    for window in windows(spans, DURATION_S, limit_s):
        edges = pairs(window.speech)
        pauses_s = [after[0] - before[1] for before, after in pairwise(edges)]
        assert max(pauses_s, default=0) <= KEPT_PAUSE_S + SAMPLE_S


@given(spans_of_any_kind, limits_s)
def test_no_silence_is_bridged(spans: list[SpeechSpan], limit_s: float) -> None:
    for window in windows(spans, DURATION_S, limit_s):
        edges = pairs(window.pieces)
        gaps_s = [after[0] - before[1] for before, after in pairwise(edges)]
        assert max(gaps_s, default=0) <= MAX_PAUSE_S - KEPT_PAUSE_S + SAMPLE_S
