"""The track of a dubbed recording: its length, its places, and what stays under the voice."""

from __future__ import annotations

import numpy as np
import pytest

from models.audio.dubbing import DUCKED, Placed, dub_steps, trimmed
from models.audio.placing import Place
from models.audio.steps import finished
from models.types import Audio, Samples, SpeechSpan

RATE_HZ = 16_000


def tone(length_s: float, frequency_hz: float = 200.0, rate_hz: int = RATE_HZ) -> Audio:
    at = np.arange(round(length_s * rate_hz)) / rate_hz
    return Audio((8_000 * np.sin(2 * np.pi * frequency_hz * at)).astype(np.int16), rate_hz)


def placed(speech: Audio, start_s: float, end_s: float) -> Placed:
    speed = speech.duration_s / (end_s - start_s)
    return Placed(speech, Place(start_s, end_s, speed, 0.0), SpeechSpan(start_s, end_s))


def rms(samples: Samples, start_s: float, end_s: float) -> float:
    part = samples[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)].astype(float)
    return float(np.sqrt(np.mean(part**2)))


@pytest.mark.parametrize("length_s", [0.8, 1.0, 1.25], ids=["slower", "as-it-is", "faster"])
def test_a_sentence_fills_its_place_and_nothing_else(length_s: float) -> None:
    made = finished(dub_steps([placed(tone(length_s), 1.0, 2.0)], 3.0, RATE_HZ))
    assert len(made.samples) == 3 * RATE_HZ
    heard = np.flatnonzero(np.abs(made.samples) > 500) / RATE_HZ
    assert (heard[0], heard[-1]) == pytest.approx((1.0, 2.0), abs=0.02)


def test_the_pitch_stays() -> None:
    made = finished(dub_steps([placed(tone(1.25), 0.0, 1.0)], 1.0, RATE_HZ))
    spectrum = np.abs(np.fft.rfft(made.samples))
    assert np.argmax(spectrum) == pytest.approx(200, abs=3)


def test_speech_of_another_rate_is_resampled() -> None:
    made = finished(dub_steps([placed(tone(1.0, rate_hz=24_000), 0.5, 1.5)], 2.0, RATE_HZ))
    assert made.sample_rate_hz == RATE_HZ
    assert rms(made.samples, 0.6, 1.4) == pytest.approx(8_000 / np.sqrt(2), rel=0.02)


def test_the_background_is_lowered_under_the_voice_and_comes_back() -> None:
    silent = Audio(np.zeros(2 * RATE_HZ, np.int16), RATE_HZ)
    made = finished(dub_steps([placed(silent, 2.0, 4.0)], 6.0, RATE_HZ, tone(6.0)))
    loud = 8_000 / np.sqrt(2)
    assert rms(made.samples, 0.0, 1.8) == pytest.approx(loud, rel=0.01)
    assert rms(made.samples, 2.0, 4.0) == pytest.approx(loud * DUCKED, rel=0.01)
    assert rms(made.samples, 4.5, 6.0) == pytest.approx(loud, rel=0.01)


def test_the_background_falls_and_rises_without_a_step() -> None:
    level = Audio(np.full(6 * RATE_HZ, 10_000, np.int16), RATE_HZ)
    silent = Audio(np.zeros(2 * RATE_HZ, np.int16), RATE_HZ)
    made = finished(dub_steps([placed(silent, 2.0, 4.0)], 6.0, RATE_HZ, level))
    assert np.abs(np.diff(made.samples.astype(int))).max() < 20


def test_a_short_pause_does_not_lift_the_background() -> None:
    silent = Audio(np.zeros(RATE_HZ, np.int16), RATE_HZ)
    sentences = [placed(silent, 1.0, 2.0), placed(silent, 2.5, 3.5)]
    made = finished(dub_steps(sentences, 5.0, RATE_HZ, tone(5.0)))
    assert rms(made.samples, 2.1, 2.4) == pytest.approx(8_000 / np.sqrt(2) * DUCKED, rel=0.02)


def test_a_background_that_is_shorter_ends_in_silence() -> None:
    made = finished(dub_steps([], 3.0, RATE_HZ, tone(2.0)))
    assert len(made.samples) == 3 * RATE_HZ
    assert not made.samples[-RATE_HZ // 2 :].any()


def test_silence_around_speech_is_left_out() -> None:
    quiet = np.zeros(RATE_HZ, np.int16)
    found = trimmed(Audio(np.concatenate([quiet, tone(1.0).samples, quiet]), RATE_HZ))
    assert found.duration_s == pytest.approx(1.0, abs=0.06)


def test_silence_alone_stays_as_it_is() -> None:
    assert trimmed(Audio(np.zeros(RATE_HZ, np.int16), RATE_HZ)).duration_s == 1.0
