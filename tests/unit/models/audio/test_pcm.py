"""Bare samples: read, joined and converted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.audio import decode
from models.audio.samples import to_float32, to_int16
from models.errors import DragomanError, InvalidRequest, TooLarge
from models.types import Audio
from tests.support.audio_files import (
    LIMIT_S,
    frequency_hz,
    ints,
)
from tests.support.sounds import TONE_HZ, tone


class TestPcm16:
    def test_samples_are_taken_as_they_are(self) -> None:
        exact = ints(tone(16_000))
        made = decode.pcm16(exact.tobytes(), 16_000, max_duration_s=LIMIT_S)
        np.testing.assert_array_equal(made.samples, exact)

    def test_another_rate_is_resampled(self) -> None:
        data = ints(tone(24_000)).tobytes()
        made = decode.pcm16(data, 24_000, max_duration_s=LIMIT_S)
        assert made.sample_rate_hz == 16_000
        assert made.duration_s == pytest.approx(1, abs=0.001)
        assert frequency_hz(to_float32(made.samples)) == pytest.approx(TONE_HZ, abs=2)

    @pytest.mark.parametrize("channels", [2, 3, 6, 64])
    @pytest.mark.parametrize("rate_hz", [16_000, 44_100])
    def test_channels_are_mixed(self, channels: int, rate_hz: int) -> None:
        both = np.repeat(ints(tone(rate_hz))[:, None], channels, axis=1)
        both[:, 1::2] //= 2
        made = decode.pcm16(both.tobytes(), rate_hz, channels, max_duration_s=LIMIT_S)
        expected = both.mean(axis=1)
        level = np.abs(made.samples[2_000:12_000]).mean() / np.abs(expected).mean()
        assert made.duration_s == pytest.approx(1, abs=0.001)
        assert frequency_hz(to_float32(made.samples)) == pytest.approx(TONE_HZ, abs=2)
        assert level == pytest.approx(1, abs=0.02)

    @pytest.mark.parametrize("channels", [0, 65])
    def test_channels_are_bounded(self, channels: int) -> None:
        with pytest.raises(InvalidRequest, match="channels"):
            decode.pcm16(bytes(6_500), 16_000, channels, max_duration_s=LIMIT_S)

    def test_half_a_sample_of_some_channels(self) -> None:
        with pytest.raises(InvalidRequest, match="6 bytes"):
            decode.pcm16(bytes(100), 16_000, 3, max_duration_s=LIMIT_S)

    def test_the_length_of_many_channels_is_that_of_one(self) -> None:
        made = decode.pcm16(bytes(16_000 * 2 * 4), 16_000, 4, max_duration_s=1)
        assert made.duration_s == pytest.approx(1)

    @pytest.mark.parametrize(
        ("data", "rate_hz", "error"),
        [
            pytest.param(b"", 16_000, InvalidRequest, id="empty"),
            pytest.param(b"\0\0\0", 16_000, InvalidRequest, id="half-a-sample"),
            pytest.param(bytes(100), 0, InvalidRequest, id="no-rate"),
            pytest.param(bytes(100), 1_000_000, InvalidRequest, id="rate-too-high"),
            pytest.param(bytes(8_000 * 2 * 2 + 2), 8_000, TooLarge, id="too-long"),
        ],
    )
    def test_bad_input(self, data: bytes, rate_hz: int, error: type[DragomanError]) -> None:
        with pytest.raises(error) as caught:
            decode.pcm16(data, rate_hz, max_duration_s=2)
        assert caught.value.param == "file"


class TestConcatenate:
    def test_parts_follow_each_other_with_silence_between(self) -> None:
        parts = [Audio(np.full(3, value, np.int16), 100) for value in (1, 2)]
        made = decode.concatenate(parts, gap_s=0.02)
        assert made.samples.tolist() == [1, 1, 1, 0, 0, 2, 2, 2]
        assert made.sample_rate_hz == 100

    def test_other_rates_are_resampled_to_the_first(self) -> None:
        made = decode.concatenate(
            [Audio(ints(tone(16_000)), 16_000), Audio(ints(tone(48_000)), 48_000)]
        )
        assert made.sample_rate_hz == 16_000
        assert made.duration_s == pytest.approx(2, abs=0.001)

    def test_floats_are_joined_as_int16(self) -> None:
        made = decode.concatenate([Audio(np.array([0.5, -1.0], np.float32))])
        assert made.samples.tolist() == [16_384, -32_768]

    def test_nothing_is_refused(self) -> None:
        with pytest.raises(ValueError, match="nothing to concatenate"):
            decode.concatenate([])


class TestConversion:
    def test_int16_as_float32(self) -> None:
        floats = to_float32(np.array([-32_768, 0, 16_384], np.int16))
        assert floats.dtype == np.float32
        assert floats.tolist() == [-1.0, 0.0, 0.5]

    def test_float32_as_int16_is_rounded_and_clipped(self) -> None:
        values = np.array([-2, -1, 0.6 / 32_768, 1, 1e30], np.float32)
        assert to_int16(values).tolist() == [-32_768, -32_768, 1, 32_767, 32_767]

    @given(st.lists(st.integers(-32_768, 32_767), max_size=50))
    def test_int16_survives_the_way_through_float32(self, values: list[int]) -> None:
        samples = np.array(values, np.int16)
        assert to_int16(to_float32(samples)).tolist() == values

    def test_samples_of_the_kind_asked_for_are_passed_on(self) -> None:
        integers, floats = np.zeros(3, np.int16), np.zeros(3, np.float32)
        assert to_int16(integers) is integers
        assert to_float32(floats) is floats
