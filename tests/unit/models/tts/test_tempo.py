"""A speed asked is a speed got, at the pitch there was; on sounds made here."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from models.tts.tempo import MAX_FACTOR, at_speed, factors

SPEEDS = [0.25, 0.3, 0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0]
RATES_HZ = [16_000, 22_050, 24_000]
PITCH_HZ = 130.0  # of the made voice


def voice(rate_hz: int, duration_s: float) -> NDArray[np.float32]:
    """Syllables of 0.2 s of a buzz: float32 [n]."""
    times_s = np.arange(round(rate_hz * duration_s)) / rate_hz
    harmonics = range(1, 12)
    buzz = sum(np.sin(2 * np.pi * PITCH_HZ * k * times_s) / k for k in harmonics)
    loudness = 0.1 * (1 - np.cos(2 * np.pi * times_s / 0.2))
    return np.asarray(buzz * loudness, np.float32)


def pitch_hz(samples: NDArray[np.float32], rate_hz: int) -> float:
    """Where the autocorrelation is highest, of 60 to 400 Hz."""
    spectrum = np.abs(np.fft.rfft(samples, 2 * len(samples))) ** 2
    correlation = np.fft.irfft(spectrum)
    shortest, longest = rate_hz // 400, rate_hz // 60
    return rate_hz / float(shortest + np.argmax(correlation[shortest:longest]))


@pytest.mark.parametrize("duration_s", [0.003, 0.05, 0.4, 3.0])
@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("speed", SPEEDS)
def test_the_length_is_that_of_the_speed(speed: float, rate_hz: int, duration_s: float) -> None:
    samples = voice(rate_hz, duration_s)
    made = at_speed(samples, rate_hz, speed)
    assert made.dtype == np.float32
    assert len(made) == round(len(samples) / speed)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("speed", SPEEDS)
def test_the_pitch_stays(speed: float, rate_hz: int) -> None:
    made = at_speed(voice(rate_hz, 3.0), rate_hz, speed)
    assert pitch_hz(made, rate_hz) == pytest.approx(PITCH_HZ, rel=0.03)


@pytest.mark.parametrize("speed", SPEEDS)
def test_the_loudness_stays(speed: float) -> None:
    samples = voice(24_000, 3.0)
    made = at_speed(samples, 24_000, speed)
    assert np.std(made) == pytest.approx(np.std(samples), rel=0.12)  # 1 dB


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_sound_stands_where_the_speed_puts_it(speed: float) -> None:
    """A buzz from 1 to 2 s of 3 s of silence."""
    rate_hz = 24_000
    samples = np.pad(voice(rate_hz, 1.0), (rate_hz, rate_hz))
    (loud,) = np.nonzero(np.abs(at_speed(samples, rate_hz, speed)) > 0.05)
    bounds_s = np.array([loud[0], loud[-1]]) / rate_hz
    np.testing.assert_allclose(bounds_s, [1 / speed, 2 / speed], atol=0.06 * max(1, 1 / speed))


def test_speed_1_changes_nothing() -> None:
    samples = voice(24_000, 0.5)
    np.testing.assert_array_equal(at_speed(samples, 24_000, 1.0), samples)


@pytest.mark.parametrize("speed", [0.25, 1.0, 4.0])
def test_no_samples_are_no_failure(speed: float) -> None:
    assert len(at_speed(np.zeros(0, np.float32), 24_000, speed)) == 0


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_chain_makes_the_speed_of_factors_that_lose_nothing(speed: float) -> None:
    chain = factors(speed)
    assert math.prod(chain) == pytest.approx(speed)
    assert all(1 / MAX_FACTOR <= factor <= MAX_FACTOR for factor in chain)
