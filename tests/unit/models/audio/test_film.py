"""Dubbed films: what is copied, what is added, in time; and films that cannot be written."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.audio import film_source
from models.audio.film import Dub, mux_steps
from models.audio.film_source import VideoFormat
from models.audio.steps import finished
from models.audio.subtitles import Cue
from models.errors import InvalidRequest, TooLarge, Unprocessable
from models.types import Audio
from tests.support import sounds
from tests.support.films import Track, beeps, film, pictures_of, sound_of, tracks_of

CUES = [Cue(0.5, 1.5, ("Olá & <b>",)), Cue(2.0, 2.9, ("dois", "três"))]
# Muxer, pictures and sound of a film; the format that it is written in.
FILMS = [
    pytest.param("mp4", "libx264", "aac", "mp4", id="mp4-to-mp4"),
    pytest.param("mp4", "libx264", "aac", "mkv", id="mp4-to-mkv"),
    pytest.param("mov", "libx264", "aac", "mp4", id="mov-to-mp4"),
    pytest.param("matroska", "libx264", "aac", "mp4", id="mkv-to-mp4"),
    pytest.param("matroska", "libx264", "flac", "mkv", id="mkv-to-mkv"),
    pytest.param("matroska", "libx265", "aac", "mp4", id="hevc-in-mkv-to-mp4"),
    pytest.param("webm", "libvpx", "libopus", "webm", id="webm-to-webm"),
    pytest.param("webm", "libvpx-vp9", "libopus", "mkv", id="webm-to-mkv"),
]


def dub(track: Audio, *more: Any) -> Dub:
    half = len(track.samples) // 2
    pieces = [replace(track, samples=part) for part in (track.samples[:half], track.samples[half:])]
    return Dub(pieces, track.sample_rate_hz, track.duration_s, *more)


def written(data: bytes, video_format: VideoFormat, added: Dub) -> bytes:
    target, source = io.BytesIO(), io.BytesIO(data)
    film_source.check(source, video_format)
    finished(mux_steps(source, video_format, added, target))
    return target.getvalue()


def contents(track: Track) -> list[bytes]:
    return [data for _, data in track.packets]


@pytest.mark.parametrize(("muxer", "pictures", "sound", "video_format"), FILMS)
class TestFilms:
    @pytest.fixture
    def source(self, muxer: str, pictures: str, sound: str) -> bytes:
        return film(muxer, pictures, sound)

    @pytest.fixture
    def made(self, source: bytes, video_format: VideoFormat) -> bytes:
        return written(source, video_format, dub(beeps(3, 1.0), "pt", "en", CUES))

    def test_pictures_and_original_sound_are_copied(self, source: bytes, made: bytes) -> None:
        before, behind = tracks_of(source), tracks_of(made)
        assert contents(behind[0]) == contents(before[0])
        assert contents(behind[2]) == contents(before[1])
        assert pictures_of(made) == 75

    def test_the_dub_is_the_first_sound_and_the_default(self, made: bytes) -> None:
        _, added, original, subtitles = tracks_of(made)
        assert [each.language for each in (added, original, subtitles)] == ["por", "eng", "por"]
        assert (added.is_default, original.is_default) == (True, False)

    def test_the_dub_is_heard_when_it_should_be(self, source: bytes, made: bytes) -> None:
        shift_s = tracks_of(made)[0].packets[0][0] - tracks_of(source)[0].packets[0][0]
        starts_s, samples = sound_of(made)
        heard_s = starts_s + np.flatnonzero(np.abs(samples) > 0.2)[0] / 48_000
        assert heard_s - shift_s == pytest.approx(1.0, abs=0.02)

    def test_pictures_and_sounds_stay_in_step(self, source: bytes, made: bytes) -> None:
        before, behind = tracks_of(source), tracks_of(made)
        apart = [
            new[0] - old[0]
            for old_track, new_track in ((before[0], behind[0]), (before[1], behind[2]))
            for old, new in zip(old_track.packets, new_track.packets, strict=True)
        ]
        assert max(apart) - min(apart) < 0.005  # Matroska counts in milliseconds

    def test_subtitles_are_a_stream(self, made: bytes) -> None:
        texts = [text for _, text in tracks_of(made)[3].packets if len(text) > 2]
        assert len(texts) == 2
        assert texts[1].endswith("dois\ntrês".encode())


def test_without_subtitles_there_is_no_stream_of_them() -> None:
    kinds = [track.kind for track in tracks_of(written(film(), "mp4", dub(beeps(3, 1.0), "pt")))]
    assert kinds == ["video", "audio", "audio"]


def test_sound_that_begins_late_is_dubbed_as_late() -> None:
    made = written(film("mp4", late_s=0.5), "mp4", dub(beeps(3, 1.0), "pt"))
    starts_s, samples = sound_of(made)
    heard_s = starts_s + np.flatnonzero(np.abs(samples) > 0.2)[0] / 48_000
    assert heard_s == pytest.approx(1.5, abs=0.03)


@pytest.mark.parametrize(
    ("source", "video_format", "words"),
    [
        pytest.param(("mp4", "libx264", "aac"), "webm", "h264.*take mp4 or mkv", id="h264-in-webm"),
        pytest.param(("webm", "libvpx", "libopus"), "mp4", "vp8.*mkv or webm", id="vp8-in-mp4"),
        pytest.param(("webm", "libvpx-vp9", "libopus"), "mp4", "vp9", id="vp9-in-mp4"),
        pytest.param(("matroska", "libvpx", "aac"), "webm", "sound.*aac.*mkv", id="aac-in-webm"),
    ],
)
def test_what_a_container_cannot_hold_is_refused_with_those_that_can(
    source: tuple[str, str, str], video_format: VideoFormat, words: str
) -> None:
    with pytest.raises(Unprocessable, match=words) as error:
        film_source.check(io.BytesIO(film(*source)), video_format)
    assert error.value.param == "response_format"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(sounds.written(sounds.tone(16_000), 16_000, "WAV", "PCM_16"), id="wav"),
        pytest.param(sounds.muxed(sounds.tone(48_000), 48_000, "mp4", "aac"), id="mp4-of-sound"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_recording_without_pictures_is_no_film(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match="needs a film with pictures"):
        film_source.check(io.BytesIO(data), "mp4")


def test_a_film_of_many_streams_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="65 streams"):
        film_source.check(io.BytesIO(film("matroska", "libx264", "pcm_s16le", 1, 63)), "mkv")


def test_what_is_attached_is_left_out() -> None:
    data = film("matroska", attached=20)
    kinds = [track.kind for track in tracks_of(written(data, "mkv", dub(beeps(3, 1.0), "pt")))]
    assert kinds == ["video", "audio", "audio"]


def test_a_duration_that_a_film_states_and_does_not_have_changes_nothing() -> None:
    changed, position = bytearray(film()), 0
    while (position := changed.find(b"mdhd", position + 1)) > 0:
        struct.pack_into(">I", changed, position + 20, 0xFFFF_FFF0)
    made = written(bytes(changed), "mp4", dub(beeps(3, 1.0), "pt"))
    assert len(sound_of(made)[1]) == pytest.approx(3 * 48_000, abs=4_800)
    assert len(made) < 2 * len(changed)


def test_a_film_without_its_index_is_refused() -> None:
    data = film()
    with pytest.raises(InvalidRequest, match="damaged"):
        film_source.check(io.BytesIO(data[: len(data) // 2]), "mp4")


def test_sound_in_an_unknown_codec_is_not_copied() -> None:
    data = film("matroska").replace(b"A_AAC", b"A_XYZ")
    made = written(data, "mkv", dub(beeps(3, 1.0), "pt"))
    assert [track.kind for track in tracks_of(made)] == ["video", "audio"]


def test_a_film_that_is_cut_short_is_copied_as_far_as_it_goes() -> None:
    data = film("matroska", "libx264", "aac")
    made = written(data[: len(data) // 2], "mkv", dub(beeps(3, 1.0), "pt"))
    assert 0 < len(tracks_of(made)[0].packets) < 75
    assert len(sound_of(made)[1]) == pytest.approx(3 * 48_000, abs=4_800)


def test_pictures_that_a_decoder_alone_can_size_are_refused() -> None:
    with pytest.raises(Unprocessable, match="mpeg4"):
        film_source.check(io.BytesIO(film("mp4", "mpeg4")), "mp4")


def test_a_film_does_not_grow_by_more_than_its_dub() -> None:
    with pytest.raises(TooLarge, match="would have more than"):
        written(swollen(film(seconds=10)), "mp4", dub(beeps(10, 1.0), "pt"))


def swollen(mp4: bytes) -> bytes:
    """Return a film whose table says that each picture is a quarter of the file, from its start."""
    changed = bytearray(mp4)
    for name, entry in ((b"stsz", len(mp4) // 4), (b"stco", 48)):
        table = changed.index(name) + (8 if name == b"stco" else 12)
        (count,) = struct.unpack_from(">I", changed, table)
        struct.pack_into(f">{count}I", changed, table + 4, *[entry] * count)
    return bytes(changed)
