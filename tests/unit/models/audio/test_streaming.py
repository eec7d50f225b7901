"""Streams resampled in pieces: the same as the whole, soon, and without clicks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.audio.decode import resample
from models.audio.streaming import StreamResampler
from models.errors import InvalidRequest
from models.types import SAMPLE_RATE_HZ, Audio

RATES_HZ = (8_000, 24_000, 44_100, 48_000)


def tone(rate_hz: int, length_s: float = 2.0, pitch_hz: float = 440.0) -> NDArray[np.int16]:
    times_s = np.arange(round(length_s * rate_hz)) / rate_hz
    return np.asarray(8_000 * np.sin(2 * np.pi * pitch_hz * times_s), np.int16)


def streamed(samples: NDArray[np.int16], rate_hz: int, sizes: list[int]) -> NDArray[np.int16]:
    resampler, parts, at = StreamResampler(rate_hz), [], 0
    for number in range(len(samples)):
        if at >= len(samples):
            break
        size = sizes[number % len(sizes)]
        parts.append(resampler.add(samples[at : at + size]))
        at += size
    return np.concatenate([*parts, resampler.flush()])


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("sizes", [[4_800], [1, 7, 960, 333]], ids=["even", "uneven"])
def test_pieces_give_what_the_whole_gives(rate_hz: int, sizes: list[int]) -> None:
    samples = tone(rate_hz)
    whole = resample(Audio(samples, rate_hz), SAMPLE_RATE_HZ).samples
    found = streamed(samples, rate_hz, sizes)
    assert abs(len(found) - len(whole)) <= 1
    both = min(len(found), len(whole))
    assert np.abs(found[:both].astype(int) - whole[:both].astype(int)).max() <= 2


def test_a_pure_tone_stays_pure_where_pieces_meet() -> None:
    found = streamed(tone(24_000), 24_000, [480])[1_600:-1_600]
    spectrum = np.abs(np.fft.rfft(found * np.hanning(len(found)))) ** 2
    place = int(np.argmax(spectrum))
    near = spectrum[max(0, place - 5) : place + 6].sum()
    assert near / spectrum.sum() > 0.99999


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_little_is_held_back(rate_hz: int) -> None:
    samples = tone(rate_hz)
    found = StreamResampler(rate_hz).add(samples)
    assert len(samples) / rate_hz - len(found) / SAMPLE_RATE_HZ < 0.01


def test_the_rate_itself_is_passed_on() -> None:
    samples = tone(SAMPLE_RATE_HZ)
    resampler = StreamResampler(SAMPLE_RATE_HZ)
    assert np.array_equal(resampler.add(samples), samples)
    assert len(resampler.flush()) == 0


def test_a_flush_begins_anew() -> None:
    resampler, samples = StreamResampler(24_000), tone(24_000)
    first, second = (np.concatenate([resampler.add(samples), resampler.flush()]) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("rate_hz", [0, 3_999, 400_000])
def test_other_rates_are_refused(rate_hz: int) -> None:
    with pytest.raises(InvalidRequest, match="samples a second"):
        StreamResampler(rate_hz)
