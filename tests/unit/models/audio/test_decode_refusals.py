"""Files that cannot be decoded are refused with the reason."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.errors import DragomanError, InvalidRequest, NotAudio, TooLarge
from tests.support import sounds
from tests.support.audio_files import (
    LIMIT_S,
    cut,
    decoded,
    endian,
    ffmpeg,
    file,
)
from tests.support.sounds import tone, wav, written


def with_channels(count: int) -> bytes:
    return written(np.zeros((160, count), np.int16), 16_000, "WAV", "PCM_16")


BAD_FILES: dict[str, tuple[Callable[[], bytes], type[DragomanError], str]] = {
    "empty": (lambda: b"", InvalidRequest, "empty"),
    "one-byte": (lambda: b"x", NotAudio, "no audio"),
    "text": (lambda: b"hello, world. " * 50, NotAudio, "no audio"),
    "html": (lambda: b"<!doctype html><html></html>" * 9, NotAudio, "no audio"),
    "json": (lambda: b'{"audio": "yes"}', NotAudio, "no audio"),
    "zeros": (lambda: bytes(5_000), NotAudio, "no audio"),
    "noise": (lambda: np.random.default_rng(1).bytes(5_000), NotAudio, "no audio"),
    "picture": (sounds.picture, NotAudio, "no audio"),
    "video-without-sound": (sounds.silent_video, NotAudio, "no sound track"),
    "codec-not-taken": (lambda: ffmpeg(tone, "matroska", "ac3"), NotAudio, "codec"),
    "wav-big-endian": (lambda: endian(tone, "WAV", "BIG"), NotAudio, "no audio"),
    "riff-but-no-wav": (lambda: b"RIFF\x24\0\0\0AVI LIST" + bytes(99), NotAudio, "no audio"),
    "wav-header-alone": (lambda: wav(b""), InvalidRequest, "no samples"),
    "wav-without-data": (lambda: file("wav")[:36], InvalidRequest, "before its samples"),
    "wav-without-format": (lambda: file("wav")[:12] + file("wav")[36:], InvalidRequest, "format"),
    "flac-header-alone": (lambda: file("flac")[:42], InvalidRequest, "holds no samples"),
    "aiff-header-alone": (lambda: file("aiff")[:54], InvalidRequest, "holds no samples"),
    "ogg-headers-alone": (lambda: cut("ogg-opus", 0.05), InvalidRequest, "holds no samples"),
    "webm-header-alone": (lambda: file("webm")[:60], InvalidRequest, "holds no samples"),
    "amr-header-alone": (lambda: file("amr")[:6], InvalidRequest, "no samples"),
    "mp4-without-its-index": (lambda: cut("m4a", 0.5), InvalidRequest, "moov"),
    "mp4-of-zeros": (lambda: file("m4a")[:32] + bytes(999), InvalidRequest, "moov"),
    "not-a-number": (
        lambda: written(np.array([0, np.nan, 0]), 16_000, "WAV", "FLOAT"),
        InvalidRequest,
        "no finite numbers",
    ),
    "infinite": (
        lambda: written(np.array([0, -np.inf, 0]), 16_000, "WAV", "DOUBLE"),
        InvalidRequest,
        "no finite numbers",
    ),
    "rate-too-low": (lambda: wav(bytes(200), rate_hz=100), InvalidRequest, "100 samples a second"),
    "rate-too-high": (
        lambda: wav(bytes(200), rate_hz=1_000_000),
        InvalidRequest,
        "1000000 samples a second",
    ),
    "too-many-channels": (lambda: with_channels(100), InvalidRequest, "100 channels"),
    "formats-are-listed": (lambda: b"no audio", NotAudio, "Taken are WAV"),
    "codecs-are-listed": (lambda: ffmpeg(tone, "matroska", "ac3"), NotAudio, "Taken are WAV"),
    "too-long": (
        lambda: written(np.zeros(480_001, np.int16), 16_000, "WAV", "PCM_16"),
        TooLarge,
        "longer than 30 s",
    ),
}


class TestRefusals:
    @pytest.mark.parametrize("name", BAD_FILES)
    def test_a_bad_file_is_refused_with_its_reason(self, name: str) -> None:
        make, error, reason = BAD_FILES[name]
        with pytest.raises(DragomanError) as caught:
            decoded(make())
        assert (type(caught.value), caught.value.param) == (error, "file")
        assert reason in caught.value.message

    def test_just_the_limit_is_taken(self) -> None:
        data = written(np.zeros(480_000, np.int16), 16_000, "WAV", "PCM_16")
        assert decoded(data).duration_s == LIMIT_S

    def test_a_long_recording_is_held_once_while_it_is_decoded(self) -> None:
        data = written(np.zeros(9_600_000, np.int16), 16_000, "WAV", "PCM_16")
        decoded(file("flac"))  # what is allocated once is not counted
        tracemalloc.start()
        try:
            samples = decoded(data, max_duration_s=600).samples
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak_bytes < 1.3 * samples.nbytes

    def test_decoding_stops_at_the_limit(self) -> None:
        """Ten minutes of silence are 19 MB of samples in few bytes of FLAC."""
        bomb = written(np.zeros(9_600_000, np.int16), 16_000, "FLAC", "PCM_16")
        decoded(file("flac"))  # what is allocated once is not counted
        tracemalloc.start()
        try:
            with pytest.raises(TooLarge):
                decoded(bomb, max_duration_s=1)
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak_bytes < 1_000_000

    @pytest.mark.parametrize(
        "playlist",
        [
            pytest.param("ffconcat version 1.0\nfile {path.name}\n", id="concat"),
            pytest.param("ffconcat version 1.0\nfile {path}\n", id="concat-absolute"),
            pytest.param(
                "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{path}\n#EXT-X-ENDLIST\n",
                id="hls",
            ),
            pytest.param(
                "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
                "m=audio 5004 RTP/AVP 0\n",
                id="sdp",
            ),
            pytest.param(
                '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period>'
                '<AdaptationSet mimeType="audio/wav"><Representation id="1"><BaseURL>{path}'
                "</BaseURL></Representation></AdaptationSet></Period></MPD>",
                id="dash",
            ),
            pytest.param("[playlist]\nFile1={path}\n", id="pls"),
        ],
    )
    def test_a_playlist_opens_no_file_of_the_server(
        self, playlist: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """FFmpeg as it comes plays the first of these, and waits at a port for another."""
        monkeypatch.chdir(tmp_path)
        secret = tmp_path / "secret.wav"
        secret.write_bytes(file("wav"))
        with pytest.raises(NotAudio):
            decoded(playlist.format(path=secret).encode())

    def test_nothing_is_printed(self, capfd: pytest.CaptureFixture[str]) -> None:
        for make, _, _ in BAD_FILES.values():
            with pytest.raises(DragomanError):
                decoded(make())
        assert capfd.readouterr() == ("", "")
