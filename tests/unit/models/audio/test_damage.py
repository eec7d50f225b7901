"""Files that end early or are damaged: decoded as far as possible, with warnings."""

from __future__ import annotations

import io

import numpy as np
import pytest

from models.audio import formats
from models.audio.ffmpeg_input import Pieces
from models.errors import InvalidRequest
from tests.support.damaged_files import (
    CUT_SHORT,
    DAMAGED,
    FILES,
    LENGTH_UNKNOWN,
    SECONDS,
    amounts_s,
    codes,
    decoded,
    ffmpeg,
    file,
    pitch_hz,
    step_hz,
)
from tests.support.sounds import (
    muxed,
    steps,
    without_last_mark,
)

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
