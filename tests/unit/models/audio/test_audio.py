"""What is decoded is the sound that was uploaded; what cannot be is refused with its reason."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.audio import decode
from models.audio.encode import encode
from models.audio.samples import to_float32, to_int16
from models.errors import DragomanError, InvalidRequest, NotAudio, TooLarge
from models.types import SAMPLE_RATE_HZ, Audio
from tests.support import sounds
from tests.support.sounds import AMPLITUDE, DURATION_S, TONE_HZ, muxed, tone, wav, written

LIMIT_S = 30.0
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


def decoded(data: bytes, max_duration_s: float = LIMIT_S) -> Audio:
    return decode.decode(data, max_duration_s=max_duration_s)


def ints(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    return to_int16(samples)


def frequency_hz(samples: NDArray[np.float32]) -> float:
    """Of the strongest component."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * SAMPLE_RATE_HZ / len(samples)


def sndfile(kind: str, subtype: str, rate_hz: int = 16_000, channels: int = 1) -> bytes:
    samples = np.repeat(tone(rate_hz)[:, None], channels, axis=1)
    return written(samples, rate_hz, kind, subtype)


def ffmpeg(
    muxer: str, codec: str, rate_hz: int = 48_000, *, video: bool = False, **options: str
) -> bytes:
    return muxed(tone(rate_hz), rate_hz, muxer, codec, options, video=video)


AMR = ("amr", "3gp")

FILES: dict[str, Callable[[], bytes]] = {
    "wav": lambda: sndfile("WAV", "PCM_16"),
    "wav-8-bit": lambda: sndfile("WAV", "PCM_U8"),
    "wav-24-bit": lambda: sndfile("WAV", "PCM_24", 44_100),
    "wav-24-bit-in-extensible": lambda: sndfile("WAVEX", "PCM_24", 16_000),
    "wav-32-bit": lambda: sndfile("WAV", "PCM_32", 48_000),
    "wav-float": lambda: sndfile("WAV", "FLOAT", 22_050),
    "wav-double": lambda: sndfile("WAV", "DOUBLE", 96_000),
    "wav-mu-law": lambda: sndfile("WAV", "ULAW", 8_000),
    "wav-a-law": lambda: sndfile("WAV", "ALAW", 8_000),
    "wav-ima-adpcm": lambda: sndfile("WAV", "IMA_ADPCM"),
    "wav-gsm": lambda: sndfile("WAV", "GSM610", 8_000),
    "wav-extensible": lambda: sndfile("WAVEX", "PCM_16", 11_025, channels=2),
    "wav-rf64": lambda: sndfile("RF64", "PCM_16"),
    "wav-stereo": lambda: sndfile("WAV", "PCM_16", 44_100, channels=2),
    "wav-3-channels": lambda: sndfile("WAV", "PCM_16", 44_100, channels=3),
    "wav-5.1": lambda: sndfile("WAVEX", "PCM_24", 48_000, channels=6),
    "wav-7.1": lambda: sndfile("WAVEX", "PCM_16", 48_000, channels=8),
    "wav-w64": lambda: sndfile("W64", "PCM_16", 44_100),
    "wav-mp3": lambda: ffmpeg("wav", "libmp3lame", 44_100),
    "wav-8-khz": lambda: sndfile("WAV", "PCM_16", 8_000),
    "wav-12-channels": lambda: sndfile("WAV", "FLOAT", 16_000, channels=12),
    "aiff": lambda: sndfile("AIFF", "PCM_16", 44_100),
    "aifc-float": lambda: sndfile("AIFF", "FLOAT", 44_100),
    "aifc-little-endian": lambda: endian("AIFF", "LITTLE"),
    "aifc-mu-law": lambda: sndfile("AIFF", "ULAW", 8_000),
    "caf": lambda: sndfile("CAF", "PCM_16", 44_100),
    "caf-alac": lambda: sndfile("CAF", "ALAC_16", 44_100),
    "au-16-bit": lambda: sndfile("AU", "PCM_16", 32_000),
    "au": lambda: sndfile("AU", "ULAW", 8_000),
    "flac": lambda: sndfile("FLAC", "PCM_16", 44_100),
    "flac-24-bit-stereo": lambda: sndfile("FLAC", "PCM_24", 96_000, channels=2),
    "flac-5.1": lambda: sndfile("FLAC", "PCM_16", 48_000, channels=6),
    "flac-7.1": lambda: sndfile("FLAC", "PCM_16", 48_000, channels=8),
    "mp3-8-khz": lambda: ffmpeg("mp3", "libmp3lame", 8_000),
    "mp3-24-khz": lambda: ffmpeg("mp3", "libmp3lame", 24_000),
    "mp2": lambda: ffmpeg("mp2", "mp2", 44_100),
    "mp3": lambda: ffmpeg("mp3", "libmp3lame", 44_100),
    "mp3-without-xing": lambda: ffmpeg("mp3", "libmp3lame", 16_000, write_xing="0"),
    "mp3-stereo": lambda: sndfile("MP3", "MPEG_LAYER_III", 44_100, channels=2),
    "ogg-vorbis": lambda: sndfile("OGG", "VORBIS", 44_100),
    "ogg-opus": lambda: ffmpeg("ogg", "libopus"),
    "ogg-opus-5.1": lambda: surround("ogg", "libopus", "5.1"),
    "ogg-flac": lambda: ffmpeg("ogg", "flac", 44_100),
    "m4a": lambda: ffmpeg("ipod", "aac", 44_100),
    "m4a-alac": lambda: ffmpeg("ipod", "alac", 44_100),
    "mp4-fragmented": lambda: ffmpeg("mp4", "aac", movflags="frag_keyframe+empty_moov"),
    "m4a-5.1": lambda: surround("ipod", "aac", "5.1"),
    "m4a-7.1": lambda: surround("ipod", "aac", "7.1"),
    "m4a-index-first": lambda: sounds.index_first(ffmpeg("ipod", "aac", 44_100)),
    "mp4-opus": lambda: ffmpeg("mp4", "libopus"),
    "mov": lambda: ffmpeg("mov", "pcm_s16be", 44_100),
    "mov-with-video": lambda: ffmpeg("mov", "aac", video=True),
    "3gp": lambda: ffmpeg("3gp", "libopencore_amrnb", 8_000),
    "mp4-with-video": lambda: ffmpeg("mp4", "aac", video=True),
    "aac-adts": lambda: ffmpeg("adts", "aac", 16_000),
    "webm": lambda: ffmpeg("webm", "libopus"),
    "webm-live": lambda: ffmpeg("webm", "libopus", live="1"),
    "matroska-aac": lambda: ffmpeg("matroska", "aac"),
    "matroska-with-video": lambda: ffmpeg("matroska", "libopus", video=True),
    "matroska-flac": lambda: ffmpeg("matroska", "flac"),
    "matroska-pcm": lambda: ffmpeg("matroska", "pcm_s16le", 32_000),
    "amr": lambda: ffmpeg("amr", "libopencore_amrnb", 8_000),
}


def endian(kind: str, order: str) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, tone(16_000), 16_000, format=kind, subtype="PCM_16", endian=order)
    return out.getvalue()


def surround(muxer: str, codec: str, layout: str) -> bytes:
    """The tone in every channel, but for the low frequencies', which no mix holds."""
    samples = np.repeat(tone(48_000)[:, None], av.AudioLayout(layout).nb_channels, axis=1)
    return muxed(samples, 48_000, muxer, codec, layout=layout)


@cache
def file(name: str) -> bytes:
    return FILES[name]()


class TestDecode:
    @pytest.mark.parametrize("name", FILES)
    def test_the_length_is_kept(self, name: str) -> None:
        slack_s = SLACK_S.get(name, 0.001)
        assert decoded(file(name)).duration_s == pytest.approx(DURATION_S, abs=slack_s)

    @pytest.mark.parametrize("name", FILES)
    def test_the_tone_is_kept(self, name: str) -> None:
        samples = to_float32(decoded(file(name)).samples)
        assert frequency_hz(samples) == pytest.approx(TONE_HZ, abs=2)

    @pytest.mark.parametrize("name", FILES)
    def test_the_level_is_kept(self, name: str) -> None:
        middle = to_float32(decoded(file(name)).samples)[4_000:12_000]
        level = float(np.sqrt(np.mean(middle**2)))
        # a few %: what resamplers and lossy codecs change a pure tone by; AMR models a voice
        assert level == pytest.approx(AMPLITUDE / np.sqrt(2), rel=0.2 if name in AMR else 0.05)

    @pytest.mark.parametrize("name", FILES)
    def test_samples_are_int16_at_16_khz_and_writable(self, name: str) -> None:
        made = decoded(file(name))
        assert made.samples.dtype == np.int16
        assert made.sample_rate_hz == SAMPLE_RATE_HZ
        assert made.samples.flags.writeable  # torch warns of what is not

    @pytest.mark.parametrize("name", FILES)
    def test_a_whole_file_has_no_warning(self, name: str) -> None:
        assert decoded(file(name)).warnings == ()

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


def cut(name: str, fraction: float) -> bytes:
    data = file(name)
    return data[: int(len(data) * fraction)]


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
    "codec-not-taken": (lambda: ffmpeg("matroska", "ac3"), NotAudio, "codec"),
    "wav-big-endian": (lambda: endian("WAV", "BIG"), NotAudio, "no audio"),
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
    "codecs-are-listed": (lambda: ffmpeg("matroska", "ac3"), NotAudio, "Taken are WAV"),
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
    @settings(max_examples=50)
    def test_random_bytes(self, data: bytes) -> None:
        self.check(data)

    @given(st.sampled_from(list(FILES)), st.floats(0, 1))
    @settings(max_examples=80)
    def test_files_that_end_early(self, name: str, fraction: float) -> None:
        self.check(cut(name, fraction))

    @given(
        st.sampled_from(list(FILES)),
        st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=8),
    )
    @settings(max_examples=120)
    def test_files_with_changed_headers(self, name: str, changes: list[tuple[int, int]]) -> None:
        data = bytearray(file(name))
        for position, value in changes:
            data[position % len(data)] = value
        self.check(bytes(data))

    @given(st.sampled_from(list(FILES)), st.floats(0, 1), st.binary(max_size=60))
    @settings(max_examples=80)
    def test_files_with_changed_insides(self, name: str, at: float, content: bytes) -> None:
        data = bytearray(file(name))
        start = int(at * len(data))
        data[start : start + len(content)] = content
        self.check(bytes(data))


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
