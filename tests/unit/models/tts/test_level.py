"""One loudness for all voices, and nothing over the ceiling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.tts.level import (
    CEILING_DBFS,
    KEPT_GAINS,
    MAX_GAIN_DB,
    SILENCE_LUFS,
    TARGET_LUFS,
    Gains,
    gain,
    limited,
    loudness_lufs,
)
from models.tts.speech import speech

RATE_HZ = 24_000
CEILING = 10 ** (CEILING_DBFS / 20)
NOTHING = np.zeros(0, np.float32)


def tone(level: float, duration_s: float = 2.0, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    """A sine of 997 Hz, at which EBU R128 weighs nothing."""
    times = np.arange(round(rate_hz * duration_s)) / rate_hz
    return np.asarray(level * np.sin(2 * np.pi * 997 * times), np.float32)


# ---- the meter -------------------------------------------------------------------------


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 24_000, 48_000])
@pytest.mark.parametrize("level_db", [-40, -23, -6])
def test_a_tone_has_the_loudness_of_the_standard(level_db: float, rate_hz: int) -> None:
    """EBU Tech 3341: a mono sine of 997 Hz and full scale has -3.01 LUFS."""
    made = loudness_lufs(tone(10 ** (level_db / 20), rate_hz=rate_hz), rate_hz)
    assert made == pytest.approx(level_db - 3.01, abs=0.1)


def test_pauses_are_left_out() -> None:
    pause = np.zeros(3 * RATE_HZ, np.float32)
    paused = np.concatenate([pause, tone(0.1, 4.0), pause, tone(0.1, 4.0), pause])
    assert loudness_lufs(paused, RATE_HZ) == pytest.approx(-23.01, abs=0.6)


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(NOTHING, id="nothing"),
        pytest.param(np.zeros(RATE_HZ, np.float32), id="silence"),
        pytest.param(tone(0.5, 0.01), id="10-ms"),
        pytest.param(tone(0.5, 0.3), id="less-than-a-block"),
    ],
)
def test_what_cannot_be_measured_is_silence(samples: NDArray[np.float32]) -> None:
    assert loudness_lufs(samples, RATE_HZ) == SILENCE_LUFS
    assert gain(samples, RATE_HZ, TARGET_LUFS) == 1.0


# ---- gains -----------------------------------------------------------------------------


def test_voices_of_different_levels_become_equally_loud() -> None:
    levels = {"quiet": 0.02, "usual": 0.1, "loud": 0.5}
    gains = Gains(TARGET_LUFS).of(levels, lambda new: [tone(levels[v]) for v in new], RATE_HZ)
    made = [loudness_lufs(tone(levels[v]) * np.float32(gains[v]), RATE_HZ) for v in levels]
    assert made == [pytest.approx(TARGET_LUFS, abs=0.1)] * 3


def test_a_voice_is_measured_once() -> None:
    asked: list[list[str]] = []

    def speak(new: list[str]) -> list[NDArray[np.float32]]:
        asked.append(new)
        return [tone(0.1) for _ in new]

    gains = Gains(TARGET_LUFS)
    for voices in (["a", "b", "a"], ["b"], ["c", "a"]):
        assert set(gains.of(voices, speak, RATE_HZ)) == set(voices)
    assert asked == [["a", "b"], ["c"]]


def test_a_voice_that_was_long_not_asked_for_is_forgotten() -> None:
    asked: list[int] = []

    def speak(new: list[int]) -> list[NDArray[np.float32]]:
        asked.extend(new)
        return [NOTHING for _ in new]

    gains = Gains(TARGET_LUFS)
    gains.of(range(KEPT_GAINS), speak, RATE_HZ)
    gains.of([0, KEPT_GAINS], speak, RATE_HZ)  # 1 is now the oldest, and one too many
    gains.of([0, 1], speak, RATE_HZ)
    assert asked == [*range(KEPT_GAINS), KEPT_GAINS, 1]


def test_without_a_target_no_voice_is_measured() -> None:
    def speak(new: list[str]) -> list[NDArray[np.float32]]:
        raise AssertionError("it was measured")

    assert Gains(None).of(["a"], speak, RATE_HZ) == {"a": 1.0}


def test_noise_is_not_lifted_without_end() -> None:
    assert gain(tone(0.0005), RATE_HZ, TARGET_LUFS) == pytest.approx(10 ** (MAX_GAIN_DB / 20))


# ---- the ceiling -----------------------------------------------------------------------


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 20_000),
    st.floats(0.01, 8.0),
    st.sampled_from([16_000, 22_050, 24_000]),
)
def test_no_sample_is_over_the_ceiling(seed: int, count: int, level: float, rate_hz: int) -> None:
    """Noise with bursts, over full scale or under it."""
    random = np.random.default_rng(seed)
    samples = random.standard_normal(count) * level * (random.random(count) > 0.7)
    made = limited(samples.astype(np.float32), rate_hz)
    assert len(made) == count
    assert np.abs(made).max(initial=0) <= CEILING + 1e-4


def test_what_is_under_the_ceiling_stays_as_it_is() -> None:
    samples = tone(0.8 * CEILING)
    np.testing.assert_array_equal(limited(samples, RATE_HZ), samples)


def test_a_peak_leaves_the_rest_alone() -> None:
    """A burst of 10 ms of twice full scale, in the middle of a soft tone."""
    samples = tone(0.2)
    burst = slice(RATE_HZ, RATE_HZ + RATE_HZ // 100)
    samples[burst] *= 10
    made = limited(samples, RATE_HZ)
    far = np.r_[0 : RATE_HZ - RATE_HZ // 20, RATE_HZ + RATE_HZ // 2 : len(samples)]
    np.testing.assert_allclose(made[far], samples[far], atol=0.01)


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("factor", [0.5, 1.0, 20.0])
def test_speech_is_never_at_full_scale(speed: float, factor: float) -> None:
    made = speech([tone(1.5), tone(0.1)], RATE_HZ, speed=speed, gain=factor).audio.samples
    assert np.abs(made.astype(np.int32)).max() <= round(CEILING * 32_768) + 4


def test_a_short_word_is_as_much_softer_as_it_was_spoken() -> None:
    loud, soft = (
        speech([tone(level)], RATE_HZ, speed=1.0, gain=1.5).audio.samples for level in (0.2, 0.1)
    )
    assert np.std(loud) == pytest.approx(2 * np.std(soft), rel=0.001)
