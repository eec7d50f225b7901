"""What is encoded is the sound that was given, as a whole and in pieces that are sent at once."""

from __future__ import annotations

import io
import struct
import wave
from typing import Any, get_args

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from models.audio.decode import decode
from models.audio.encode import (
    MEDIA_TYPES,
    PCM_RATE_HZ,
    UNKNOWN_BYTES,
    AudioFormat,
    encode,
    encoder,
)
from models.audio.marks import synthetic_tags
from models.audio.samples import to_float32, to_int16
from models.types import Audio
from tests.support.sounds import DURATION_S, tone

FORMATS = get_args(AudioFormat)
FILES = [name for name in FORMATS if name != "pcm"]
RATE_HZ = 22_050
CLIP = Audio(to_int16(tone(RATE_HZ)), RATE_HZ)

# ---- whole files -----------------------------------------------------------------------


def test_each_format_has_a_media_type() -> None:
    assert set(MEDIA_TYPES) == set(FORMATS)


@pytest.mark.parametrize(
    ("audio_format", "kind"),
    [("wav", "WAV"), ("flac", "FLAC"), ("mp3", "MP3"), ("opus", "OGG")],
)
def test_another_library_reads_it(audio_format: AudioFormat, kind: str) -> None:
    info = soundfile.info(io.BytesIO(encode(CLIP, audio_format)))
    assert (info.format, info.channels) == (kind, 1)
    assert info.duration == pytest.approx(DURATION_S, abs=0.001)


def test_lossless_formats_keep_each_sample() -> None:
    for audio_format in ("wav", "flac"):
        samples, rate_hz = soundfile.read(io.BytesIO(encode(CLIP, audio_format)), dtype="int16")
        np.testing.assert_array_equal(samples, CLIP.samples)
        assert rate_hz == 22_050


def test_pcm_at_its_own_rate_is_the_bare_samples() -> None:
    clip = Audio(to_int16(tone(PCM_RATE_HZ)), PCM_RATE_HZ)
    assert encode(clip, "pcm") == clip.samples.astype("<i2").tobytes()


def test_the_media_type_of_pcm_names_its_rate() -> None:
    assert MEDIA_TYPES["pcm"] == "audio/pcm; rate=24000; channels=1"


PCM_RATES_HZ = [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000]


@pytest.mark.parametrize("rate_hz", PCM_RATES_HZ)
@pytest.mark.parametrize("count", [1, 7, 100, 441, 22_050, 50_001])
def test_pcm_lasts_as_long_as_the_sound(rate_hz: int, count: int) -> None:
    clip = Audio(to_int16(tone(rate_hz, 7.0)[:count]), rate_hz)
    assert len(encode(clip, "pcm")) // 2 == round(count * PCM_RATE_HZ / rate_hz)


@pytest.mark.parametrize("lengths", [[30_000], [1, 0, 700, 20_001]], ids=["two", "odd"])
@pytest.mark.parametrize("rate_hz", PCM_RATES_HZ)
def test_pcm_is_the_same_sound_at_its_rate_where_pieces_are_joined(
    rate_hz: int, lengths: list[int]
) -> None:
    """A click, a lost sample or another pitch would be a deviation from the tone."""
    made = np.frombuffer(
        streamed(Audio(to_int16(tone(rate_hz, 3.0)), rate_hz), "pcm", lengths), "<i2"
    )
    expected = to_int16(tone(PCM_RATE_HZ, 3.0)).astype(np.int32)
    inside = slice(PCM_RATE_HZ // 50, -PCM_RATE_HZ // 50)  # the filter meets silence at the ends
    assert len(made) == len(expected)
    assert np.abs(made[inside] - expected[inside]).max() < 60  # -55 dB


def test_the_sizes_of_a_wav_header_are_right() -> None:
    data = encode(CLIP, "wav")
    riff_bytes, data_bytes = struct.unpack_from("<4xI32xI", data)
    assert (riff_bytes, data_bytes) == (len(data) - 8, 2 * len(CLIP.samples))


def test_opus_is_ogg_at_48_khz() -> None:
    data = encode(CLIP, "opus")
    assert data.startswith(b"OggS")
    assert soundfile.info(io.BytesIO(data)).samplerate == 48_000


def test_aac_is_adts() -> None:
    assert encode(CLIP, "aac")[:2] in (b"\xff\xf1", b"\xff\xf9")


@pytest.mark.parametrize("audio_format", FORMATS)
def test_the_same_audio_gives_the_same_bytes(audio_format: AudioFormat) -> None:
    assert encode(CLIP, audio_format) == encode(CLIP, audio_format)


@pytest.mark.parametrize("audio_format", FORMATS)
def test_floats_are_encoded_as_their_int16(audio_format: AudioFormat) -> None:
    floats = Audio(to_float32(CLIP.samples), 22_050)
    assert encode(floats, audio_format) == encode(CLIP, audio_format)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000, 44_100, 11_111, 96_000])
@pytest.mark.parametrize("audio_format", ["mp3", "opus", "aac", "flac", "wav"])
def test_any_rate_is_taken(audio_format: AudioFormat, rate_hz: int) -> None:
    made = decode(encode(Audio(to_int16(tone(rate_hz)), rate_hz), audio_format), max_duration_s=30)
    slack_s = 3 * 1024 / min(rate_hz, 48_000) if audio_format == "aac" else 0.01
    assert made.duration_s == pytest.approx(DURATION_S, abs=slack_s)


@pytest.mark.parametrize("audio_format", FORMATS)
def test_no_samples_are_no_failure(audio_format: AudioFormat) -> None:
    assert len(encode(Audio(np.zeros(0, np.int16)), audio_format)) < 10_000


# ---- files that are sent while they are made -------------------------------------------

LONG = Audio(to_int16(tone(RATE_HZ, 3.0)), RATE_HZ)
# LAME's 576 and its decoder's 529: what a decoder leaves out where a file's first frame tells it.
MP3_DELAY = 1105


def pieces(audio: Audio, lengths: list[int]) -> list[Audio]:
    """The clip, cut into pieces of such lengths and the rest."""
    cuts = np.split(to_int16(audio.samples), np.cumsum(lengths))
    return [Audio(samples.astype(np.int16), audio.sample_rate_hz) for samples in cuts]


def streamed(audio: Audio, audio_format: AudioFormat, lengths: list[int]) -> bytes:
    made = encoder(audio_format, audio.sample_rate_hz)
    return b"".join(made.add(piece) for piece in pieces(audio, lengths)) + made.finish()


def samples_of(data: bytes, audio_format: str) -> NDArray[Any]:
    """As FFmpeg decodes the file, at its own rate."""
    if audio_format == "pcm":
        return np.frombuffer(data, "<i2")
    with av.open(io.BytesIO(data)) as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames)


@pytest.mark.parametrize("lengths", [[30_000], [1, 0, 700, 20_001]], ids=["two", "odd"])
@pytest.mark.parametrize("audio_format", FORMATS)
def test_a_streamed_file_has_the_samples_of_a_whole_one(
    audio_format: AudioFormat, lengths: list[int]
) -> None:
    whole = samples_of(encode(LONG, audio_format), audio_format)
    made = samples_of(streamed(LONG, audio_format, lengths), audio_format)
    start = MP3_DELAY if audio_format == "mp3" else 0
    np.testing.assert_array_equal(made[start : start + len(whole)], whole)


@pytest.mark.parametrize("audio_format", FORMATS)
def test_a_piece_leaves_before_the_next_is_there(audio_format: AudioFormat) -> None:
    made = encoder(audio_format, RATE_HZ)
    so_far = samples_of(made.add(CLIP), audio_format)
    rate_hz = {"opus": 48_000, "pcm": PCM_RATE_HZ}.get(audio_format, RATE_HZ)
    # Held back: two pages of Ogg (0.1 s each), or a block of FLAC, or frames of MP3 and AAC.
    assert len(so_far) / rate_hz > DURATION_S - 0.25


@pytest.mark.parametrize("audio_format", FILES)
def test_a_streamed_file_is_taken_as_an_upload(audio_format: AudioFormat) -> None:
    made = decode(streamed(LONG, audio_format, [30_000]), max_duration_s=30)
    assert made.duration_s == pytest.approx(3.0, abs=0.1)


def test_a_streamed_wav_promises_no_size() -> None:
    data = streamed(LONG, "wav", [30_000])
    assert struct.unpack_from("<4xI32xI", data) == (UNKNOWN_BYTES, UNKNOWN_BYTES)
    assert data[44:] == encode(LONG, "wav")[44:]


def test_libraries_read_a_streamed_wav_to_its_end() -> None:
    data = streamed(LONG, "wav", [30_000])
    with wave.open(io.BytesIO(data)) as file:
        assert file.readframes(file.getnframes()) == LONG.samples.tobytes()
    samples, rate_hz = soundfile.read(io.BytesIO(data), dtype="int16")
    np.testing.assert_array_equal(samples, LONG.samples)
    assert rate_hz == RATE_HZ


@pytest.mark.parametrize("audio_format", FORMATS)
def test_a_stream_of_nothing_is_no_failure(audio_format: AudioFormat) -> None:
    assert len(encoder(audio_format, RATE_HZ).finish()) < 10_000


def test_a_piece_of_another_rate_is_resampled_to_the_first() -> None:
    made = encoder("wav", RATE_HZ)
    data = made.add(CLIP) + made.add(Audio(to_int16(tone(44_100)), 44_100))
    assert (len(data) - 44) // 2 == pytest.approx(2 * RATE_HZ * DURATION_S, abs=20)


@pytest.mark.parametrize("length", [LONG, None], ids=["whole", "streamed"])
@pytest.mark.parametrize("audio_format", FILES)
def test_a_file_says_that_no_human_speaks(audio_format: AudioFormat, length: Audio | None) -> None:
    tags = synthetic_tags("voice-1")
    whole = None if length is None else len(length.samples)
    made = encoder(audio_format, RATE_HZ, length=whole, tags=tags)
    data = made.add(LONG) + made.finish()
    with av.open(io.BytesIO(data)) as container:
        found = {**container.metadata, **container.streams.audio[0].metadata}
    assert found["comment"] == "Synthetic speech, made by Dragoman; voice: voice-1"
    assert decode(data, max_duration_s=30).duration_s == pytest.approx(3.0, abs=0.1)
