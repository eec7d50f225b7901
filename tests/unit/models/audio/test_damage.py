"""Of a file that is cut, damaged or joined all is heard that can be, and a warning says what not.

The tone of ``sounds.steps`` is higher each second, so what was decoded can be told by its pitch.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from models.audio import decode, formats
from models.audio.ffmpeg_input import Pieces
from models.audio.samples import to_float32
from models.errors import InvalidRequest, TooLarge
from models.types import SAMPLE_RATE_HZ, Audio
from tests.support.sounds import (
    STEP_HZ,
    index_first,
    muxed,
    steps,
    wav,
    without_last_mark,
    written,
)

SECONDS = 6
CUT_SHORT, DAMAGED = "audio_cut_short", "audio_damaged"
LENGTH_UNKNOWN, PARTS_SKIPPED = "audio_length_unknown", "audio_parts_skipped"


def sndfile(kind: str, subtype: str, rate_hz: int = 16_000) -> bytes:
    return written(steps(rate_hz), rate_hz, kind, subtype)


def ffmpeg(muxer: str, codec: str, rate_hz: int = 48_000, *options: str) -> bytes:
    """``options`` of the muxer are ``name=value``."""
    pairs = dict(option.split("=") for option in options)
    return muxed(steps(rate_hz), rate_hz, muxer, codec, pairs)


FRAGMENTS = ("movflags=frag_keyframe+empty_moov", "frag_duration=500000")
CLUSTERS = "cluster_time_limit=500"
FILES: dict[str, Callable[[], bytes]] = {
    "wav": lambda: sndfile("WAV", "PCM_16"),
    "wav-24-bit": lambda: sndfile("WAV", "PCM_24", 44_100),
    "wav-mu-law": lambda: sndfile("WAV", "ULAW", 8_000),
    "wav-rf64": lambda: sndfile("RF64", "PCM_16"),
    "wav-w64": lambda: sndfile("W64", "PCM_16"),
    "aiff": lambda: sndfile("AIFF", "PCM_16"),
    "au": lambda: sndfile("AU", "PCM_16"),
    "caf": lambda: sndfile("CAF", "PCM_16"),
    "flac": lambda: sndfile("FLAC", "PCM_16"),
    "mp3": lambda: ffmpeg("mp3", "libmp3lame", 44_100),
    "mp3-without-tags": lambda: ffmpeg(
        "mp3", "libmp3lame", 24_000, "write_xing=0", "id3v2_version=0"
    ),
    "ogg-vorbis": lambda: sndfile("OGG", "VORBIS", 44_100),
    "ogg-opus": lambda: ffmpeg("ogg", "libopus", 48_000, "page_duration=200000"),
    "ogg-flac": lambda: ffmpeg("ogg", "flac", 44_100, "page_duration=200000"),
    "m4a-index-first": lambda: index_first(ffmpeg("ipod", "aac", 44_100)),
    "m4a": lambda: ffmpeg("ipod", "aac", 44_100),
    "mp4-fragmented": lambda: ffmpeg("mp4", "aac", 48_000, *FRAGMENTS),
    "webm": lambda: ffmpeg("webm", "libopus", 48_000, CLUSTERS),
    "webm-live": lambda: ffmpeg("webm", "libopus", 48_000, "live=1", CLUSTERS),
    "aac": lambda: ffmpeg("adts", "aac", 16_000),
    "amr": lambda: ffmpeg("amr", "libopencore_amrnb", 8_000),
}
ID3 = b"ID3\x03\0\0\0\0\x02\0" + bytes(256)
ID3V1 = b"TAG" + bytes(125)
APE = b"APETAGEX" + struct.pack("<4I", 2_000, 52, 1, 0) + bytes(8)
APE = bytes(20) + APE  # an item, and the foot that counts both


@cache
def file(name: str) -> bytes:
    return FILES[name]()


def decoded(data: bytes, max_duration_s: float = 60) -> Audio:
    return decode.decode(data, max_duration_s=max_duration_s)


def codes(heard: Audio) -> list[str]:
    return [warning.code for warning in heard.warnings]


def pitch_hz(heard: Audio, at_s: float) -> float:
    """Of the half second from ``at_s`` on."""
    start = round(at_s * SAMPLE_RATE_HZ)
    piece = to_float32(heard.samples)[start : start + SAMPLE_RATE_HZ // 2]
    return float(np.argmax(np.abs(np.fft.rfft(piece * np.hanning(len(piece))))) * 2)


def step_hz(second: int) -> float:
    return STEP_HZ + 100 * second


def amounts_s(heard: Audio) -> list[float]:
    """The lengths that the first warning names."""
    return [float(text) for text in re.findall(r"(\d+\.\d+) s", heard.warnings[0].message)]


CUTTABLE = [name for name in FILES if name != "m4a"]
STATING = [  # how long they should be, wherever they are cut
    *("wav", "wav-24-bit", "wav-mu-law", "wav-rf64", "aiff", "au", "flac", "mp3"),
    *("m4a-index-first", "webm"),
]


class TestCut:
    @pytest.mark.parametrize("name", CUTTABLE)
    def test_what_is_there_is_heard(self, name: str) -> None:
        data = file(name)
        heard = decoded(data[: int(len(data) * 0.6) + 5])
        assert codes(heard) == [CUT_SHORT]
        assert 2.6 < heard.duration_s < 4.1
        for second in (0, 1):
            assert pitch_hz(heard, second + 0.25) == pytest.approx(step_hz(second), abs=4)

    @pytest.mark.parametrize("fraction", np.linspace(0.45, 0.95, 14))
    def test_fragments_are_heard_wherever_they_are_cut(self, fraction: float) -> None:
        data = file("mp4-fragmented")
        heard = decoded(data[: int(len(data) * fraction)])
        assert codes(heard) == [CUT_SHORT]
        assert heard.duration_s > SECONDS * fraction - 0.8

    @pytest.mark.parametrize("name", STATING)
    def test_the_warning_says_how_much_of_how_much(self, name: str) -> None:
        data = file(name)
        heard = decoded(data[: int(len(data) * 0.6) + 5])
        there_s, promised_s = amounts_s(heard)
        assert there_s == pytest.approx(heard.duration_s, abs=0.06)
        assert promised_s == pytest.approx(SECONDS, abs=0.1)

    @pytest.mark.parametrize("name", ["mp3", "mp3-without-tags", "aac", "webm-live", "amr"])
    def test_some_bytes_are_missing_at_the_end(self, name: str) -> None:
        heard = decoded(file(name)[:-3])
        assert codes(heard) == [CUT_SHORT]
        assert heard.duration_s == pytest.approx(SECONDS, abs=0.2)

    @pytest.mark.parametrize("name", ["mp3", "mp3-without-tags", "aac"])
    def test_a_stream_that_was_cut_at_its_start(self, name: str) -> None:
        data = file(name)
        heard = decoded(data[int(len(data) * 0.5) + 5 :])
        assert codes(heard) == [DAMAGED]
        assert "begins with" in heard.warnings[0].message
        assert heard.duration_s == pytest.approx(SECONDS / 2, abs=0.2)
        assert pitch_hz(heard, 2.25) == pytest.approx(step_hz(5), abs=4)

    def test_an_mp3_that_was_cut_between_frames_knows_by_its_count(self) -> None:
        data = ffmpeg("mp3", "libmp3lame", 16_000)  # frames of one size, at 16 kHz
        starts = [at for at in range(len(data) - 1) if data[at : at + 2] == data[45:47]]
        heard = decoded(data[: starts[len(starts) // 2]])
        assert codes(heard) == [CUT_SHORT]
        assert amounts_s(heard)[1] == pytest.approx(SECONDS, abs=0.1)

    def test_an_ogg_without_a_marked_end(self) -> None:
        heard = decoded(without_last_mark(file("ogg-opus")))
        assert codes(heard) == [LENGTH_UNKNOWN]
        assert heard.duration_s == pytest.approx(SECONDS, abs=0.03)


class TestWav:
    DATA = (np.clip(steps(16_000), -1, 1) * 32_767).astype("<i2").tobytes()

    def check(self, data: bytes, expected: list[str]) -> None:
        heard = decoded(data)
        assert codes(heard) == expected
        np.testing.assert_array_equal(heard.samples, np.frombuffer(self.DATA, np.int16))

    @pytest.mark.parametrize(
        "promised", [0, 0x7FFF_0000, 0x7FFF_F000, 0x8000_0000, 0xFFFF_FFD3, 0xFFFF_FFFF]
    )
    def test_a_length_that_was_never_filled_in_is_usual(self, promised: int) -> None:
        self.check(wav(self.DATA, promised_bytes=promised), [])

    @pytest.mark.parametrize("promised", [1_000_000_000, 2_000_000_000])
    def test_a_length_that_cannot_be(self, promised: int) -> None:
        self.check(wav(self.DATA, promised_bytes=promised), [LENGTH_UNKNOWN])

    @pytest.mark.parametrize("more", [1, 2, 8, 44, -2, -44])
    def test_a_length_that_is_a_little_wrong(self, more: int) -> None:
        heard = decoded(wav(self.DATA, promised_bytes=len(self.DATA) + more))
        assert codes(heard) == []
        assert heard.duration_s == pytest.approx(SECONDS, abs=0.002)

    @pytest.mark.parametrize("promised", [2, 32_000, 100_000])
    def test_a_length_that_was_not_brought_up_to_date(self, promised: int) -> None:
        self.check(wav(self.DATA, promised_bytes=promised), [LENGTH_UNKNOWN])

    @pytest.mark.parametrize(
        "before",
        [
            pytest.param(b"LIST\x04\0\0\0INFO", id="even"),
            pytest.param(b"note\x03\0\0\0abc\0", id="odd"),
            pytest.param(b"note\x03\0\0\0abc", id="odd-without-its-padding"),
            pytest.param(b"JUNK\x1c\0\0\0" + bytes(28), id="junk"),
            pytest.param(b"note\xff\xff\0\0abc", id="longer-than-it-is"),
            pytest.param(b"bext\0\0\0\0fact\x04\0\0\0\1\2\3\4", id="two"),
        ],
    )
    def test_chunks_before_the_samples(self, before: bytes) -> None:
        self.check(wav(self.DATA, before=before), [])

    @pytest.mark.parametrize(
        "behind",
        [
            pytest.param(b"LIST\x04\0\0\0INFO", id="list"),
            pytest.param(b"id3 \x04\0\0\0abcd", id="id3-chunk"),
            pytest.param(ID3 + b"\x55" * 99_999, id="id3-without-a-chunk"),
            pytest.param(ID3V1, id="id3v1"),
            pytest.param(bytes(50_000), id="zeros"),
            pytest.param(b"some text", id="a-few-bytes"),
        ],
    )
    def test_what_stands_behind_the_samples_is_no_sound(self, behind: bytes) -> None:
        self.check(wav(self.DATA, behind=behind), [])

    def test_no_samples_and_a_chunk(self) -> None:
        with pytest.raises(InvalidRequest, match="no samples"):
            decoded(wav(b"", behind=b"LIST\x04\0\0\0INFO"))

    def test_half_a_sample_at_the_end(self) -> None:
        self.check(wav(self.DATA + b"x"), [])


class TestDamage:
    @pytest.mark.parametrize(
        "name",
        [
            *("flac", "mp3", "mp3-without-tags", "ogg-vorbis", "ogg-opus", "ogg-flac"),
            *("m4a", "m4a-index-first", "mp4-fragmented", "webm", "webm-live", "aac"),
        ],
    )
    def test_what_stands_around_a_hole_is_heard(self, name: str) -> None:
        data = bytearray(file(name))
        start = len(data) // 2
        if name == "mp4-fragmented":  # not in a fragment's table, without which its rest is lost
            start = data.index(b"mdat", start) + 500
        data[start : start + 1_500] = bytes(1_500)
        heard = decoded(bytes(data))
        assert codes(heard) == [DAMAGED]
        assert heard.duration_s > 4
        assert pitch_hz(heard, 0.25) == pytest.approx(step_hz(0), abs=4)
        last_s = heard.duration_s - 0.7
        assert pitch_hz(heard, last_s) == pytest.approx(step_hz(SECONDS - 1), abs=4)

    def test_a_file_whose_checksums_are_all_wrong_is_heard(self) -> None:
        """Encoders of old wrote such. Here they take the place of each frame's stuffing."""
        options = {"write_xing": "0", "id3v2_version": "0"}
        encoder = {"reservoir": "0", "b": "320000"}
        sound = steps(48_000)
        data = muxed(sound, 48_000, "mp3", "libmp3lame", options, encoder_options=encoder)
        size = 960  # bytes of a frame of 320 kbit/s
        frames = [data[at : at + size] for at in range(0, len(data), size)]
        wrong = [f[:1] + bytes([f[1] & 0xFE]) + f[2:4] + b"\x12\x34" + f[4:-2] for f in frames]
        heard = decoded(b"".join(wrong))
        assert codes(heard) == [DAMAGED]
        assert heard.duration_s == pytest.approx(SECONDS, abs=0.1)
        assert pitch_hz(heard, 2.25) == pytest.approx(step_hz(2), abs=4)

    @pytest.mark.parametrize("name", ["mp3", "aac"])
    def test_nothing_but_the_head_of_a_stream_is_sound(self, name: str) -> None:
        data = file(name)
        heard = decoded(data[: len(data) // 2] + bytes(len(data) // 2))
        assert codes(heard) != []
        assert heard.duration_s == pytest.approx(SECONDS / 2, abs=0.3)


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
        streamed = wav(TestWav.DATA, promised_bytes=0xFFFF_FFFF)
        heard = decoded(streamed + streamed + file("wav"))
        assert codes(heard) == []
        assert len(heard.samples) == 3 * SECONDS * SAMPLE_RATE_HZ

    def test_a_cut_file_among_others(self) -> None:
        cut = wav(TestWav.DATA, promised_bytes=2 * len(TestWav.DATA))
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


class TestBounds:
    def test_packets_without_sound_are_not_read_for_ever(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("models.audio.ffmpeg.MAX_BARREN_PACKETS", 20)
        data = file("m4a")
        start = data.index(b"mdat") + 4
        sound = (data.rindex(b"moov") - 4 - start) // 2
        damaged = data[: start + sound] + bytes(sound) + data[start + 2 * sound :]
        heard = decoded(damaged)
        assert codes(heard) == [DAMAGED]
        assert "the rest was left" in heard.warnings[0].message

    def test_a_bound_of_candidates_for_joined_files(self) -> None:
        """What looks like the start of a file, and is none, is looked at so often."""
        looks = b"OggS\0" * 200_000
        found = formats.recognise(file("ogg-opus") + looks)
        assert found is not None
        parts = formats.parts(file("ogg-opus") + looks, *found)
        assert len(parts) == 1

    def test_heads_of_wavs_alone_are_not_searched_over_and_over(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each would look for its samples in all that follows."""
        monkeypatch.setattr("models.audio.wav.MAX_LOST_BYTES", 64)
        heads = b"RIFF\0\0\0\0WAVE\1\1\1\1" * 50
        with pytest.raises(InvalidRequest, match="before its samples"):
            decoded(heads + b"data\4\0\0\0abcd")

    def test_a_file_object_reads_like_a_file(self) -> None:
        pieces, same = Pieces(b"head", b"0123456789", 2, 8), io.BytesIO(b"head234567")
        for offset, whence, size in [(0, 0, 3), (0, 1, 9), (-2, 2, 5), (20, 0, 1), (5, 0, -1)]:
            assert pieces.seek(offset, whence) == same.seek(offset, whence)
            read = b""
            while piece := pieces.read(size - len(read) if size > 0 else -1):
                read += piece
                if len(read) == size:
                    break
            assert read == same.read(size)
            assert pieces.tell() == same.tell()
