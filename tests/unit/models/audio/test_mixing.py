"""What can be heard in a channel is heard in the mix, whatever the other channels hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from models.audio.decode import decode
from models.audio.mixing import Mixer
from models.audio.samples import to_float32
from tests.support.sounds import muxed, written

RATE_HZ = 16_000
SECONDS = 4
Channels = NDArray[np.float64]


def voice(seed: int = 0, level: float = 0.1) -> Channels:
    """Noise that swells four times a second, as syllables do."""
    noise = np.random.default_rng(seed).standard_normal(RATE_HZ * SECONDS)
    swell = np.abs(np.sin(2 * np.pi * 2 * np.arange(len(noise)) / RATE_HZ))
    return level * noise * swell


def heard(channels: Channels, kind: str = "WAV", subtype: str = "FLOAT") -> NDArray[np.float32]:
    data = written(channels.T, RATE_HZ, kind, subtype)
    return to_float32(decode(data, max_duration_s=60).samples)


def gain_db(made: NDArray[np.float32], sound: Channels) -> float:
    """How loud ``sound`` is in what was made, whichever its sign."""
    share = abs(float(made @ sound)) / float(sound @ sound)
    return float(20 * np.log10(share + 1e-9))


A, B = voice(1), voice(2)
SILENCE = np.zeros_like(A)
NOISE = 1e-5 * voice(3, 1.0)

# What is in the channels, and how loud the voice A may be in the mix, in dB: from and to.
CASES: dict[str, tuple[Callable[[], list[Channels]], float, float]] = {
    "same": (lambda: [A, A], -0.1, 0.1),
    "antiphase": (lambda: [A, -A], -0.1, 0.1),
    "antiphase-and-noise": (lambda: [A + NOISE, -A], -0.1, 0.1),
    "antiphase-with-an-offset": (lambda: [A + 0.1, 0.1 - A], -0.1, 0.1),
    "antiphase-left-louder": (lambda: [A, -0.8 * A], -0.1, 0.1),
    "antiphase-right-louder": (lambda: [-0.7 * A, A], -0.1, 0.1),
    "half-cancelled": (lambda: [A, -0.5 * A], -0.1, 0.1),
    "a-third-cancelled": (lambda: [A, -0.34 * A], -0.1, 0.1),
    "quiet-antiphase": (lambda: [0.001 * A, -0.001 * A], -60.5, -59.5),
    "left-alone": (lambda: [A, SILENCE], -0.1, 0.1),
    "right-alone": (lambda: [SILENCE, A], -0.1, 0.1),
    "left-alone-beside-dither": (lambda: [A, NOISE], -0.1, 0.1),
    "other-voice": (lambda: [A, B], -6.2, -5.8),
    "other-voice-much-quieter": (lambda: [A, 0.05 * B], -6.2, -5.8),
    "one-sided-and-quieter": (lambda: [A, 0.5 * A], -2.7, -2.3),
    "3-same": (lambda: [A, A, A], -0.1, 0.1),
    "3-two-cancelled": (lambda: [A, -A, SILENCE], -0.1, 0.1),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_the_voice_is_heard(name: str, kind: str) -> None:
    make, lowest_db, highest_db = CASES[name]
    if kind == "FLAC":
        lowest_db, highest_db = lowest_db - 0.2, highest_db + 0.2  # 24 bits
    made = heard(np.stack(make()), kind, "FLOAT" if kind == "WAV" else "PCM_24")
    assert lowest_db <= gain_db(made, A) <= highest_db


def test_both_voices_are_heard() -> None:
    made = heard(np.stack([A, B]))
    assert gain_db(made, A) == pytest.approx(-6, abs=0.3)
    assert gain_db(made, B) == pytest.approx(-6, abs=0.3)


SURROUND = ["5.1", "7.1"]
CENTRE = 2  # FL FR FC LFE ...


class TestSurround:
    @staticmethod
    def heard(layout: str, channels: dict[int, Channels]) -> NDArray[np.float32]:
        count = {"5.1": 6, "7.1": 8}[layout]
        samples = np.stack([channels.get(index, SILENCE) for index in range(count)], axis=1)
        data = muxed(samples.astype(np.float32), RATE_HZ, "matroska", "flac", layout=layout)
        return to_float32(decode(data, max_duration_s=60).samples)

    @pytest.mark.parametrize("layout", SURROUND)
    def test_speech_in_the_centre_alone_is_as_loud_as_it_is(self, layout: str) -> None:
        assert gain_db(self.heard(layout, {CENTRE: A}), A) == pytest.approx(0, abs=0.2)

    @pytest.mark.parametrize("layout", SURROUND)
    def test_speech_in_the_centre_is_louder_than_the_music_around_it(self, layout: str) -> None:
        others = {index: voice(10 + index, 0.1) for index in range(6) if index != CENTRE}
        made = self.heard(layout, others | {CENTRE: A})
        assert gain_db(made, A) > gain_db(made, others[0]) + 2.5

    @pytest.mark.parametrize("layout", SURROUND)
    def test_front_channels_that_cancel(self, layout: str) -> None:
        assert gain_db(self.heard(layout, {0: A, 1: -A}), A) == pytest.approx(0, abs=0.2)

    @pytest.mark.parametrize("layout", SURROUND)
    def test_all_channels_are_heard(self, layout: str) -> None:
        voices = {index: voice(20 + index) for index in range(6) if index != 3}
        made = self.heard(layout, voices)
        assert all(gain_db(made, each) > -19 for each in voices.values())


class TestInTime:
    def test_a_recording_that_is_turned_round_in_the_middle(self) -> None:
        half = len(A) // 2
        right = np.concatenate([A[:half], -A[half:]])
        made = heard(np.stack([A, right]))
        assert gain_db(made[:half], A[:half]) == pytest.approx(0, abs=0.2)
        assert gain_db(made[half:], A[half:]) == pytest.approx(0, abs=0.2)

    def test_silence_before_a_cancelled_voice_decides_nothing(self) -> None:
        lead = np.concatenate([1e-4 * voice(7)[: RATE_HZ * 2], A])
        other = np.concatenate([1e-4 * voice(8)[: RATE_HZ * 2], -A])
        made = heard(np.stack([lead, other]))
        assert gain_db(made[-len(A) :], A) == pytest.approx(0, abs=0.2)

    def test_the_sign_does_not_change_from_block_to_block(self) -> None:
        """Of two channels that are equally loud, one is kept, or each change would be a click."""
        wobble = 1 + 0.05 * np.sin(2 * np.pi * np.arange(len(A)) / RATE_HZ)
        made = heard(np.stack([A, -A * wobble]))
        blocks = np.split(made * A, 8)
        assert len({np.sign(block.sum()) for block in blocks}) == 1

    def test_a_channel_that_begins_late_is_heard(self) -> None:
        late = np.concatenate([SILENCE, B])
        made = heard(np.stack([np.concatenate([A, A]), late]))
        assert gain_db(made[: len(A)], A) == pytest.approx(0, abs=0.1)
        assert gain_db(made[len(A) :], B) == pytest.approx(-6, abs=0.3)

    def test_a_mix_near_the_threshold_does_not_go_to_and_fro(self) -> None:
        mixer = Mixer("stereo", 2)
        chosen = []
        for block in range(40):
            share = -0.28 + 0.02 * (-1) ** block  # on either side of where the mix is given up
            left = voice(block)[:8_000]
            both = np.stack([left, share * left]).astype(np.float32)
            chosen.append(np.allclose(mixer.mix(both), both[0], atol=1e-6))
        assert len(set(chosen[1:])) == 1

    def test_files_that_are_joined_are_judged_each(self) -> None:
        same, turned = (
            written(np.stack(pair, axis=1), RATE_HZ, "WAV", "PCM_16") for pair in ([A, A], [A, -A])
        )
        made = to_float32(decode(same + turned, max_duration_s=60).samples)
        assert gain_db(made[: len(A)], A) == pytest.approx(0, abs=0.2)
        assert gain_db(made[len(A) :], A) == pytest.approx(0, abs=0.2)
