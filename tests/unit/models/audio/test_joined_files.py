"""Files with tags around them, and files that are joined."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import TooLarge
from models.types import SAMPLE_RATE_HZ
from tests.support.damaged_files import (
    APE,
    CUT_SHORT,
    DAMAGED,
    FILES,
    ID3,
    ID3V1,
    PARTS_SKIPPED,
    SECONDS,
    WAV_DATA,
    codes,
    decoded,
    ffmpeg,
    file,
    pitch_hz,
    sndfile,
    step_hz,
)
from tests.support.sounds import (
    wav,
)

TAGGED = ["flac", "mp3", "mp3-without-tags", "aac", "ogg-opus", "m4a", "webm-live", "wav", "amr"]


class TestTags:
    @pytest.mark.parametrize("name", TAGGED)
    @pytest.mark.parametrize(
        ("before", "behind"),
        [
            pytest.param(ID3, b"", id="id3"),
            pytest.param(ID3 + ID3, b"", id="two-id3"),
            pytest.param(b"", ID3V1, id="id3v1"),
            pytest.param(b"", APE, id="ape"),
            pytest.param(ID3, APE + ID3V1, id="all"),
        ],
    )
    def test_tags_are_no_damage(self, name: str, before: bytes, behind: bytes) -> None:
        whole, heard = decoded(file(name)), decoded(before + file(name) + behind)
        assert codes(heard) == []
        np.testing.assert_array_equal(heard.samples, whole.samples)

    @pytest.mark.parametrize("name", ["mp3", "aac"])
    @pytest.mark.parametrize("junk", [bytes(700), b"\xff\xfb" * 300], ids=["zeros", "false-syncs"])
    def test_junk_before_a_stream(self, name: str, junk: bytes) -> None:
        heard = decoded(junk + file(name))
        assert heard.duration_s == pytest.approx(decoded(file(name)).duration_s, abs=0.05)
        assert codes(heard) == ([DAMAGED] if any(junk) else [])

    @pytest.mark.parametrize("name", ["mp3", "aac", "flac", "ogg-opus", "m4a", "webm-live"])
    def test_padding_behind_is_no_damage(self, name: str) -> None:
        heard = decoded(file(name) + bytes(3_000))
        assert codes(heard) == []
        assert len(heard.samples) == len(decoded(file(name)).samples)


class TestJoined:
    @pytest.mark.parametrize("name", FILES)
    @pytest.mark.parametrize("count", [2, 3])
    def test_all_are_heard(self, name: str, count: int) -> None:
        one, heard = decoded(file(name)), decoded(file(name) * count)
        assert codes(heard) == []
        assert heard.duration_s == pytest.approx(count * one.duration_s, abs=0.15)
        for second in (1, 4):
            at_s = one.duration_s + second + 0.25
            assert pitch_hz(heard, at_s) == pytest.approx(step_hz(second), abs=4)

    @pytest.mark.parametrize("name", ["wav", "flac", "ogg-vorbis", "mp3", "webm", "m4a"])
    def test_files_of_other_rates_are_heard(self, name: str) -> None:
        other = {
            "wav": lambda: sndfile("WAVEX", "PCM_24", 44_100),
            "flac": lambda: sndfile("FLAC", "PCM_24", 48_000),
            "ogg-vorbis": lambda: ffmpeg("ogg", "libopus"),
            "mp3": lambda: ffmpeg("mp3", "libmp3lame", 22_050),
            "webm": lambda: ffmpeg("matroska", "flac", 44_100),
            "m4a": lambda: ffmpeg("mp4", "alac", 44_100),
        }[name]()
        heard = decoded(file(name) + other)
        assert codes(heard) == []
        assert heard.duration_s == pytest.approx(2 * SECONDS, abs=0.15)
        assert pitch_hz(heard, 7.25) == pytest.approx(step_hz(1), abs=4)

    def test_wavs_of_unknown_length(self) -> None:
        streamed = wav(WAV_DATA, promised_bytes=0xFFFF_FFFF)
        heard = decoded(streamed + streamed + file("wav"))
        assert codes(heard) == []
        assert len(heard.samples) == 3 * SECONDS * SAMPLE_RATE_HZ

    def test_a_cut_file_among_others(self) -> None:
        cut = wav(WAV_DATA, promised_bytes=2 * len(WAV_DATA))
        heard = decoded(file("wav") + cut + file("wav"))
        assert codes(heard) == [CUT_SHORT]
        assert "File 2 of 3" in heard.warnings[0].message
        assert len(heard.samples) == 3 * SECONDS * SAMPLE_RATE_HZ

    def test_a_file_that_cannot_be_decoded_among_others(self) -> None:
        heard = decoded(file("flac")[:60] + file("flac"))
        assert codes(heard) == [DAMAGED]
        assert len(heard.samples) == SECONDS * SAMPLE_RATE_HZ

    def test_an_empty_file_among_others_is_no_damage(self) -> None:
        assert codes(decoded(wav(b"") + file("wav"))) == []

    def test_the_limit_is_that_of_all_together(self) -> None:
        with pytest.raises(TooLarge):
            decoded(file("wav") * 3, max_duration_s=2.5 * SECONDS)

    def test_a_flac_inside_another_container_is_no_file_of_its_own(self) -> None:
        assert codes(decoded(ffmpeg("matroska", "flac", 44_100))) == []

    def test_as_many_as_are_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("models.audio.formats.MAX_PARTS", 5)
        one = wav(bytes(3_200))
        heard = decoded(one * 5)
        assert heard.duration_s == pytest.approx(0.5)
        assert codes(heard) == []
        heard = decoded(one * 8)
        assert heard.duration_s == pytest.approx(0.5)
        assert codes(heard) == [PARTS_SKIPPED]

    def test_one_warning_a_code_however_many_files(self) -> None:
        cut = wav(bytes(3_200), promised_bytes=9_600)
        heard = decoded(cut * 9)
        assert codes(heard) == [CUT_SHORT]
        assert "8 more" in heard.warnings[0].message
