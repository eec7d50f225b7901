"""The speech of a recording that tells its speaker's voice."""

from __future__ import annotations

import numpy as np
import pytest

from models.speaker.voice_clips import REFERENCE_S, reference
from models.types import Audio, SpeechSpan, VadResult


def test_the_reference_is_the_longest_clean_spans_in_their_order() -> None:
    audio, heard = recording((1.0, 3.0, 0.9), (4.0, 5.0, 0.9), (6.0, 15.0, 0.9))
    taken = reference(audio, heard).samples
    assert [len(taken), int(taken[0]), int(taken[-1])] == [REFERENCE_S * 16_000, 1, 6]


def test_what_is_hardly_speech_is_no_reference_beside_enough_that_is() -> None:
    audio, heard = recording((1.0, 4.5, 0.9), (6.0, 15.0, 0.4))
    assert set(reference(audio, heard).samples) == {1}


def test_a_clipped_span_is_no_reference_beside_enough_that_is_not() -> None:
    audio, heard = recording((1.0, 4.5, 0.9), (6.0, 15.0, 0.9))
    audio.samples[7 * 16_000 : 8 * 16_000] = 32_767
    assert set(reference(audio, heard).samples) == {1}


def test_too_little_clean_speech_is_filled_up_from_the_rest() -> None:
    audio, heard = recording((1.0, 1.6, 0.9), (6.0, 14.0, 0.4))
    assert len(reference(audio, heard).samples) == pytest.approx(8.6 * 16_000, abs=2)


def test_where_nothing_is_clean_the_longest_serves() -> None:
    audio, heard = recording((1.0, 1.4, 0.4), (6.0, 15.8, 0.4), (17.0, 17.3, 0.4))
    assert set(reference(audio, heard).samples) == {6}


def recording(*spans: tuple[float, float, float]) -> tuple[Audio, VadResult]:
    """20 s of 16 kHz: each span (start, end, probability) holds its own start as samples."""
    samples = np.zeros(20 * 16_000, np.int16)
    probabilities = np.zeros(625, np.float32)
    for start_s, end_s, probability in spans:
        samples[round(start_s * 16_000) : round(end_s * 16_000)] = round(start_s)
        probabilities[round(start_s / 0.032) : round(end_s / 0.032)] = probability
    found = tuple(SpeechSpan(start_s, end_s) for start_s, end_s, _ in spans)
    return Audio(samples), VadResult(found, probabilities, np.zeros(0, np.float32))
