"""Decoded audio is the sound that was uploaded, of every kind and with damage."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.audio.encode import encode
from models.audio.samples import to_float32
from models.errors import DragomanError, InvalidRequest, NotAudio, TooLarge
from models.types import SAMPLE_RATE_HZ, Audio
from tests.support.audio_files import (
    AMR,
    FILES,
    cut,
    decoded,
    file,
    frequency_hz,
    ints,
)
from tests.support.sounds import AMPLITUDE, DURATION_S, TONE_HZ, tone, wav, written

# Kinds that do not say how long they are to the sample: they are whole frames, some with the
# encoder's delay before them. FFmpeg drops Vorbis' first short block.
SLACK_S = {
    "wav-ima-adpcm": 505 / 16_000,
    "wav-gsm": 320 / 8_000,
    "mp3-without-xing": 3 * 576 / 16_000,
    "ogg-vorbis": 128 / 44_100,
    "m4a": 2 * 1024 / 44_100,
    "m4a-index-first": 2 * 1024 / 44_100,
    "m4a-5.1": 2 * 1024 / 48_000,
    "m4a-7.1": 2 * 1024 / 48_000,
    "mov-with-video": 2 * 1024 / 48_000,
    "matroska-aac": 2 * 1024 / 48_000,
    "mp2": 2 * 1152 / 44_100,
    "caf-alac": 4_096 / 44_100,  # FFmpeg drops what fills up the last packet, which has none
    "mp4-opus": 0.02,
    "wav-mp3": 4 * 1152 / 44_100,
    "3gp": 2 * 160 / 8_000,
    "mp4-fragmented": 2 * 1024 / 48_000,
    "mp4-with-video": 2 * 1024 / 48_000,
    "aac-adts": 2 * 1024 / 16_000,
    "amr": 2 * 160 / 8_000,
}


@cache
def heard(name: str) -> Audio:
    """Decode the file of that kind, which holds a tone of a second."""
    return decoded(file(name))


class TestDecode:
    @pytest.mark.parametrize("name", FILES)
    def test_the_length_is_kept(self, name: str) -> None:
        slack_s = SLACK_S.get(name, 0.001)
        assert heard(name).duration_s == pytest.approx(DURATION_S, abs=slack_s)

    @pytest.mark.parametrize("name", FILES)
    def test_the_tone_is_kept(self, name: str) -> None:
        samples = to_float32(heard(name).samples)
        assert frequency_hz(samples) == pytest.approx(TONE_HZ, abs=2)

    @pytest.mark.parametrize("name", FILES)
    def test_the_level_is_kept(self, name: str) -> None:
        middle = to_float32(heard(name).samples)[4_000:12_000]
        level = float(np.sqrt(np.mean(middle**2)))
        # a few %: what resamplers and lossy codecs change a pure tone by; AMR models a voice
        assert level == pytest.approx(AMPLITUDE / np.sqrt(2), rel=0.2 if name in AMR else 0.05)

    @pytest.mark.parametrize("name", FILES)
    def test_samples_are_int16_at_16_khz_and_writable(self, name: str) -> None:
        made = heard(name)
        assert made.samples.dtype == np.int16
        assert made.sample_rate_hz == SAMPLE_RATE_HZ
        assert made.samples.flags.writeable  # torch warns of what is not

    @pytest.mark.parametrize("name", FILES)
    def test_a_whole_file_has_no_warning(self, name: str) -> None:
        assert heard(name).warnings == ()

    @pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "DOUBLE"])
    def test_wav_at_16_khz_is_exact(self, subtype: str) -> None:
        exact = ints(tone(16_000))
        data = written(to_float32(exact), 16_000, "WAV", subtype)
        np.testing.assert_array_equal(decoded(data).samples, exact)

    @pytest.mark.parametrize("kind", ["WAV", "WAVEX", "FLAC", "AIFF"])
    def test_stereo_is_averaged(self, kind: str) -> None:
        both = np.stack([np.full(16_000, 0.6), np.full(16_000, -0.2)], axis=1)
        samples = decoded(written(both, 16_000, kind, "PCM_16")).samples
        np.testing.assert_allclose(samples, 0.2 * 32_768, atol=1)

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            pytest.param(1.5, 32_767, id="above"),
            pytest.param(-1.5, -32_768, id="below"),
            pytest.param(1e30, 32_767, id="far-above"),
        ],
    )
    def test_floats_beyond_full_scale_are_clipped(self, value: float, expected: int) -> None:
        data = written(np.full(1_600, value), 16_000, "WAV", "FLOAT")
        assert set(decoded(data).samples.tolist()) == {expected}

    @pytest.mark.parametrize("promised", [0, 0x7FFF_F000, 0x8000_0000, 0xFFFF_FFFF])
    def test_a_wav_that_was_streamed_has_no_length(self, promised: int) -> None:
        exact = ints(tone(16_000))
        data = wav(exact.tobytes(), promised_bytes=promised)
        np.testing.assert_array_equal(decoded(data).samples, exact)

    def test_bytes_behind_an_mp3_are_no_damage(self) -> None:
        tag = b"TAG" + bytes(125)  # ID3v1
        assert decoded(file("mp3") + tag).duration_s == pytest.approx(DURATION_S, abs=0.03)

    def test_files_that_were_encoded_here_are_heard(self) -> None:
        clip = Audio(ints(tone(24_000)), 24_000)
        for audio_format in ("wav", "mp3", "opus", "flac", "aac"):
            samples = to_float32(decoded(encode(clip, audio_format)).samples)
            assert frequency_hz(samples) == pytest.approx(TONE_HZ, abs=2), audio_format


class TestDamage:
    """Whatever comes in, only an error that a caller may be told comes out."""

    @staticmethod
    def check(data: bytes) -> None:
        outcome: Audio | DragomanError
        try:
            outcome = decoded(data, max_duration_s=5)
        except DragomanError as error:
            outcome = error
        if isinstance(outcome, Audio):
            assert 0 < outcome.duration_s <= 5
        else:
            assert isinstance(outcome, InvalidRequest | TooLarge | NotAudio)
            assert outcome.param == "file"

    @given(st.binary(max_size=3_000))
    def test_random_bytes(self, data: bytes) -> None:
        self.check(data)

    @given(st.sampled_from(list(FILES)), st.floats(0, 1))
    def test_files_that_end_early(self, name: str, fraction: float) -> None:
        self.check(cut(name, fraction))

    @given(
        st.sampled_from(list(FILES)),
        st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=8),
    )
    def test_files_with_changed_headers(self, name: str, changes: list[tuple[int, int]]) -> None:
        data = bytearray(file(name))
        for position, value in changes:
            data[position % len(data)] = value
        self.check(bytes(data))

    @given(st.sampled_from(list(FILES)), st.floats(0, 1), st.binary(max_size=60))
    def test_files_with_changed_insides(self, name: str, at: float, content: bytes) -> None:
        data = bytearray(file(name))
        start = int(at * len(data))
        data[start : start + len(content)] = content
        self.check(bytes(data))
