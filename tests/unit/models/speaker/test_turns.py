"""Speakers told apart, on made voiceprints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.speaker.turns import (
    HOP_S,
    MAX_CLUSTERED,
    PIECE_S,
    Rules,
    Turns,
    is_narrow,
    pieces,
    rules_of,
    samples_of,
    tell_apart,
)
from models.types import SpeechSpan

RULES = Rules(
    threshold=0.6,
    narrow_threshold=0.6,
    change_price=1.0,
    pause_price=0.3,
    least_s=1.0,
    known_threshold=0.7,
)
SIZE = 64


def voice(number: int) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.eye(SIZE, dtype=np.float32)[number]
    return found


def heard_as(
    cut: Sequence[SpeechSpan], speakers: Sequence[tuple[float, int]]
) -> NDArray[np.float32]:
    """Embed pieces as the voices that are heard in them, with some noise.

    ``speakers``: since when each speaks.
    """
    noise = np.random.default_rng(5)
    rows = []
    for piece in cut:
        at_s = np.arange(piece.start_s, piece.end_s, 0.05)
        numbers = [[who for since_s, who in speakers if since_s <= each][-1] for each in at_s]
        row = np.mean([voice(number) for number in numbers], axis=0)
        row += noise.normal(0, 0.05, SIZE).astype(np.float32)
        rows.append(row / np.linalg.norm(row))
    return np.stack(rows).astype(np.float32)


def told_apart(spans: Sequence[SpeechSpan], speakers: Sequence[tuple[float, int]]) -> Turns:
    cut = pieces(spans)
    return tell_apart(spans, cut, heard_as(cut, speakers), RULES)


# ---- pieces -------------------------------------------------------------------------------


def test_a_short_span_is_one_piece() -> None:
    span = SpeechSpan(3.0, 3.5)
    assert pieces([span]) == [span]


def test_pieces_cover_a_span_and_overlap() -> None:
    cut = pieces([SpeechSpan(1.0, 5.1)])
    starts_s = [piece.start_s for piece in cut]
    assert cut[0].start_s == 1.0
    assert cut[-1].end_s == pytest.approx(5.1)
    assert all(piece.end_s - piece.start_s == pytest.approx(PIECE_S) for piece in cut)
    assert np.diff(starts_s).max() <= HOP_S + 1e-9


def test_a_short_piece_is_repeated() -> None:
    samples = np.arange(1, 8001, dtype=np.int16)
    found = samples_of(samples, SpeechSpan(0.0, 0.5))
    assert len(found) == round(PIECE_S * 16_000)
    assert found.tolist()[:16_000] == [*samples.tolist(), *samples.tolist()]


def test_a_piece_beyond_the_recording_is_empty() -> None:
    assert len(samples_of(np.ones(10, np.int16), SpeechSpan(1.0, 2.0))) == 0


# ---- the band -----------------------------------------------------------------------------


def hum(*tones_hz: float) -> NDArray[np.int16]:
    at_s = np.arange(48_000) / 16_000
    tones = [np.sin(2 * np.pi * hz * at_s) for hz in tones_hz]
    return np.asarray(4_000 * np.sum(tones, axis=0), np.int16)


@pytest.mark.parametrize(
    ("samples", "narrow"),
    [
        pytest.param(hum(300, 3_000), True, id="telephone"),
        pytest.param(hum(300, 6_000), False, id="wide"),
        pytest.param(np.zeros(48_000, np.int16), False, id="silence"),
    ],
)
def test_the_band_of_a_telephone_is_known(samples: NDArray[np.int16], narrow: bool) -> None:
    assert is_narrow(samples, pieces([SpeechSpan(0.0, 3.0)])) == narrow


def test_without_speech_there_is_no_band() -> None:
    assert not is_narrow(hum(300), [])


def test_voices_on_a_telephone_must_be_more_alike() -> None:
    cut = pieces([SpeechSpan(0.0, 6.0), SpeechSpan(7.0, 13.0)])
    near = 0.8 * voice(1) + 0.6 * voice(2)  # a cosine of 0.8 to the first
    heard = np.stack([voice(1) if piece.start_s < 6.5 else near for piece in cut])
    rules = replace(RULES, threshold=0.7, narrow_threshold=0.9)
    spans = [SpeechSpan(0.0, 6.0), SpeechSpan(7.0, 13.0)]
    wide, narrow = (
        {t.speaker for t in tell_apart(spans, cut, heard, rules, narrow=each).turns}
        for each in (False, True)
    )
    assert (wide, narrow) == ({0}, {0, 1})


# ---- who speaks when ----------------------------------------------------------------------


def test_without_speech_nobody_speaks() -> None:
    assert tell_apart([], [], np.empty((0, 1), np.float32), RULES).turns == ()


def test_one_voice_is_one_speaker() -> None:
    found = told_apart([SpeechSpan(0.0, 8.0), SpeechSpan(9.0, 12.0)], [(0.0, 3)])
    assert [(turn.start_s, turn.end_s, turn.speaker) for turn in found.turns] == [
        (0.0, 8.0, 0),
        (9.0, 12.0, 0),
    ]


def test_speakers_in_turn_are_told_apart() -> None:
    spans = [SpeechSpan(start, start + 3.0) for start in (0.0, 4.0, 8.0, 12.0)]
    found = told_apart(spans, [(0.0, 1), (4.0, 2), (8.0, 1), (12.0, 3)])
    first, second, third, fourth = (turn.speaker for turn in found.turns)
    assert first == third
    assert len({first, second, fourth}) == 3


def test_a_change_without_a_pause_is_found() -> None:
    found = told_apart([SpeechSpan(0.0, 10.0)], [(0.0, 1), (6.0, 2)])
    assert [turn.speaker for turn in found.turns] == [0, 1]  # who speaks most comes first
    assert found.turns[0].end_s == pytest.approx(6.0, abs=0.3)


def test_turns_fill_the_speech() -> None:
    spans = [SpeechSpan(0.05, 3.33), SpeechSpan(4.0, 9.77)]
    found = told_apart(spans, [(0.0, 1), (6.0, 2)])
    assert found.turns[0].start_s == 0.05
    assert found.turns[-1].end_s == 9.77
    assert sum(t.end_s - t.start_s for t in found.turns) == pytest.approx(3.28 + 5.77)


def test_a_moment_of_another_voice_is_nobody() -> None:
    spans = [SpeechSpan(0.0, 5.0), SpeechSpan(5.5, 5.9), SpeechSpan(6.5, 10.0)]
    found = told_apart(spans, [(0.0, 1), (5.5, 2), (6.5, 1)])
    assert {turn.speaker for turn in found.turns} == {0}


def test_all_speech_may_be_short() -> None:
    found = told_apart([SpeechSpan(0.0, 0.4)], [(0.0, 1)])
    assert [turn.speaker for turn in found.turns] == [0]


def test_many_pieces_are_grouped_by_some_of_them() -> None:
    spans = [SpeechSpan(10.0 * n, 10.0 * n + 9.0) for n in range(150)]
    speakers = [(10.0 * n, n % 3) for n in range(150)]
    assert len(pieces(spans)) > MAX_CLUSTERED
    found = told_apart(spans, speakers)
    assert [turn.speaker for turn in found.turns[:6]] == [turn.speaker for turn in found.turns[3:9]]
    assert len(found.centroids) == 3


def test_voices_without_end_are_bounded() -> None:
    spans = [SpeechSpan(4.0 * n, 4.0 * n + 3.0) for n in range(40)]
    found = told_apart(spans, [(4.0 * n, n) for n in range(40)])
    assert len(found.centroids) == 26


def test_an_engine_without_rules_of_its_own_has_those_of_most() -> None:
    assert rules_of("somebodys") == rules_of("ecapa") != rules_of("ge2e")
