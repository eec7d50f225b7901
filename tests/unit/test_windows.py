"""Windows cover all speech, in order, apart and within their limit; they are cut in silence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.types import SAMPLE_RATE_HZ, SpeechSpan
from models.windows import windows

DURATION_S = 200.0
SAMPLE_S = 1 / SAMPLE_RATE_HZ

spans_of_any_kind = st.lists(
    st.tuples(st.floats(0, DURATION_S), st.floats(0, 80)).map(
        lambda pair: SpeechSpan(pair[0], min(pair[0] + pair[1], DURATION_S))
    ),
    max_size=20,
)
limits_s = st.floats(0.5, 40)


def pairs(spans: tuple[SpeechSpan, ...]) -> list[tuple[float, float]]:
    return [(span.start_s, span.end_s) for span in spans]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param([], [], id="silence"),
        pytest.param([(1, 3)], [(1, 3)], id="one"),
        pytest.param([(1, 3), (4, 6)], [(1, 6)], id="a-pause-is-kept"),
        pytest.param([(1, 3), (5, 6)], [(1, 6)], id="a-pause-of-just-the-gap"),
        pytest.param([(1, 3), (5.1, 6)], [(1, 3), (5.1, 6)], id="a-silence-is-left-out"),
        pytest.param([(0, 20), (21, 29)], [(0, 29)], id="fills-up-to-the-limit"),
        pytest.param([(0, 20), (21, 31)], [(0, 20), (21, 31)], id="cut-in-silence"),
        pytest.param([(0, 30)], [(0, 30)], id="just-the-limit"),
        pytest.param([(0, 60)], [(0, 30), (30, 60)], id="cut-through-where-there-is-no-silence"),
        pytest.param([(0, 45)], [(0, 22.5), (22.5, 45)], id="into-equal-parts"),
        pytest.param([(0, 45), (46, 50)], [(0, 22.5), (22.5, 50)], id="the-rest-is-joined"),
        pytest.param([(0, 10), (10, 35)], [(0, 10), (10, 35)], id="touching-spans-may-be-parted"),
        pytest.param([(0, 10), (5, 12)], [(0, 12)], id="overlapping-spans-are-one"),
        pytest.param([(4, 6), (1, 3)], [(1, 6)], id="any-order"),
        pytest.param([(198, 210)], [(198, 200)], id="not-beyond-the-audio"),
        pytest.param([(-1, 2), (3, 3)], [(0, 2)], id="empty-spans-are-dropped"),
    ],
)
def test_windows(spans: list[tuple[float, float]], expected: list[tuple[float, float]]) -> None:
    found = windows([SpeechSpan(*span) for span in spans], DURATION_S)
    assert pairs(found) == expected


@given(spans_of_any_kind, limits_s)
def test_every_span_is_covered(spans: list[SpeechSpan], limit_s: float) -> None:
    found = windows(spans, DURATION_S, limit_s)
    for span in spans:  # times are rounded to samples: half a sample at each end
        inside = [
            min(span.end_s, window.end_s) - max(span.start_s, window.start_s)
            for window in found
            if window.start_s < span.end_s and window.end_s > span.start_s
        ]
        assert sum(inside) == pytest.approx(span.end_s - span.start_s, abs=2 * SAMPLE_S)


@given(spans_of_any_kind, limits_s)
def test_windows_are_in_order_and_apart(spans: list[SpeechSpan], limit_s: float) -> None:
    edges = [edge for pair in pairs(windows(spans, DURATION_S, limit_s)) for edge in pair]
    assert edges == sorted(edges)


@given(spans_of_any_kind, limits_s)
def test_no_window_has_more_samples_than_the_limit(spans: list[SpeechSpan], limit_s: float) -> None:
    for window in windows(spans, DURATION_S, limit_s):
        samples = round(window.end_s * SAMPLE_RATE_HZ) - round(window.start_s * SAMPLE_RATE_HZ)
        assert 0 < samples <= round(limit_s * SAMPLE_RATE_HZ)


@given(spans_of_any_kind, limits_s)
def test_windows_are_windows_of_themselves(spans: list[SpeechSpan], limit_s: float) -> None:
    once = windows(spans, DURATION_S, limit_s, max_gap_s=0)
    assert windows(once, DURATION_S, limit_s, max_gap_s=0) == once
