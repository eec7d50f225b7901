"""Places of translated sentences: in time with their originals, and never two at once."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.audio.placing import FASTEST, GAP_S, SLOWEST, place
from models.errors import Unprocessable
from models.types import SpeechSpan


def spans(*bounds: tuple[float, float]) -> list[SpeechSpan]:
    return [SpeechSpan(*each) for each in bounds]


@pytest.mark.parametrize(
    ("length_s", "start_s", "end_s", "speed"),
    [
        pytest.param(2.0, 1.0, 3.0, 1.0, id="as-long-as-its-original"),
        pytest.param(2.4, 1.0, 3.0, 1.2, id="faster"),
        pytest.param(1.8, 1.0, 3.0, 0.9, id="slower"),
        pytest.param(0.85, 1.0, 2.0, SLOWEST, id="as-slow-as-sounds-right"),
        pytest.param(3.75, 1.0, 4.0, FASTEST, id="into-the-pause-behind"),
        pytest.param(5.0, 0.9, 4.9, FASTEST, id="and-into-the-one-before"),
    ],
)
def test_one_sentence_of_two(length_s: float, start_s: float, end_s: float, speed: float) -> None:
    first, _ = place(spans((1, 3), (5, 6)), [length_s, 1.0], 10.0)
    assert (first.start_s, first.end_s, first.speed) == pytest.approx((start_s, end_s, speed))


def test_what_does_not_fit_moves_those_behind_it_which_catch_up() -> None:
    places = place(spans((0, 1), (1, 2), (2, 3), (6, 7)), [2.5, 1.0, 1.0, 1.0], 10.0)
    assert [each.is_shifted for each in places] == [False, True, True, False]
    assert [each.speed for each in places[:2]] == pytest.approx([FASTEST] * 2)
    assert places[3].start_s == 6


def test_the_last_sentence_ends_with_the_recording() -> None:
    *_, last = place(spans((0, 2), (9, 10)), [2.0, 5.0], 10.0)
    assert (last.start_s, last.end_s) == pytest.approx((6.0, 10.0))
    assert last.is_shifted


def test_more_speech_than_time_is_hurried_and_says_so() -> None:
    places = place(spans((0, 1), (1, 2)), [2.0, 2.0], 2.0)
    assert [each.is_hurried for each in places] == [True, True]
    assert places[-1].end_s == pytest.approx(2.0)


def test_what_cannot_be_spoken_at_all_is_refused() -> None:
    with pytest.raises(Unprocessable, match=r"takes 9\.0 s"):
        place(spans((0, 2)), [9.0], 2.0)


@given(
    st.lists(
        st.tuples(st.floats(0, 5), st.floats(0.05, 8), st.floats(0.01, 10)),
        min_size=1,
        max_size=20,
    ),
    st.floats(0, 5),
)
def test_sentences_are_in_order_and_never_overlap(
    rows: list[tuple[float, float, float]], rest_s: float
) -> None:
    at_s, originals = 0.0, []
    for pause_s, said_s, _ in rows:
        originals.append(SpeechSpan(at_s + pause_s, at_s + pause_s + said_s))
        at_s = originals[-1].end_s
    lengths = [length_s for _, _, length_s in rows]
    duration_s = at_s + rest_s
    try:
        places = place(originals, lengths, duration_s)
    except Unprocessable:
        assert sum(lengths) > 4 * duration_s
        return
    tight = sum(lengths) / FASTEST >= duration_s
    for before, behind in pairwise(places):
        assert before.end_s <= behind.start_s + 1e-9
    assert places[0].start_s >= -1e-9
    assert places[-1].end_s <= duration_s + 1e-9
    for each, length_s in zip(places, lengths, strict=True):
        assert (each.end_s - each.start_s) * each.speed == pytest.approx(length_s)
        assert each.speed >= SLOWEST - 1e-9
        assert tight or each.speed <= FASTEST + 1e-9


def test_pauses_stay_between_sentences_where_there_is_time() -> None:
    first, second = place(spans((0, 2), (2, 4)), [2.0, 2.0], 5.0)
    assert second.start_s - first.end_s == pytest.approx(GAP_S)
