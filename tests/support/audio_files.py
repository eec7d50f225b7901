"""Files of every kind that is decoded, with any sound in them."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from models.audio import decode
from models.audio.samples import to_int16
from models.types import SAMPLE_RATE_HZ, Audio
from tests.support import sounds
from tests.support.sounds import muxed, tone, written

LIMIT_S = 30.0
Signal = Callable[[int], NDArray[np.float32]]  # of a rate in Hz: float32 [n]


def decoded(data: bytes, max_duration_s: float = LIMIT_S) -> Audio:
    return decode.decode(data, max_duration_s=max_duration_s)


def ints(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    return to_int16(samples)


def frequency_hz(samples: NDArray[np.float32]) -> float:
    """Return the frequency of the strongest component."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * SAMPLE_RATE_HZ / len(samples)


def sndfile(
    signal: Signal, kind: str, subtype: str, rate_hz: int = 16_000, channels: int = 1
) -> bytes:
    samples = np.repeat(signal(rate_hz)[:, None], channels, axis=1)
    return written(samples, rate_hz, kind, subtype)


def ffmpeg(
    signal: Signal,
    muxer: str,
    codec: str,
    rate_hz: int = 48_000,
    *,
    video: bool = False,
    **options: str,
) -> bytes:
    return muxed(signal(rate_hz), rate_hz, muxer, codec, options, video=video)


AMR = ("amr", "3gp")
FILES: dict[str, Callable[[Signal], bytes]] = {
    "wav": lambda s: sndfile(s, "WAV", "PCM_16"),
    "wav-8-bit": lambda s: sndfile(s, "WAV", "PCM_U8"),
    "wav-24-bit": lambda s: sndfile(s, "WAV", "PCM_24", 44_100),
    "wav-24-bit-in-extensible": lambda s: sndfile(s, "WAVEX", "PCM_24", 16_000),
    "wav-32-bit": lambda s: sndfile(s, "WAV", "PCM_32", 48_000),
    "wav-float": lambda s: sndfile(s, "WAV", "FLOAT", 22_050),
    "wav-double": lambda s: sndfile(s, "WAV", "DOUBLE", 96_000),
    "wav-mu-law": lambda s: sndfile(s, "WAV", "ULAW", 8_000),
    "wav-a-law": lambda s: sndfile(s, "WAV", "ALAW", 8_000),
    "wav-ima-adpcm": lambda s: sndfile(s, "WAV", "IMA_ADPCM"),
    "wav-gsm": lambda s: sndfile(s, "WAV", "GSM610", 8_000),
    "wav-extensible": lambda s: sndfile(s, "WAVEX", "PCM_16", 11_025, channels=2),
    "wav-rf64": lambda s: sndfile(s, "RF64", "PCM_16"),
    "wav-stereo": lambda s: sndfile(s, "WAV", "PCM_16", 44_100, channels=2),
    "wav-3-channels": lambda s: sndfile(s, "WAV", "PCM_16", 44_100, channels=3),
    "wav-5.1": lambda s: sndfile(s, "WAVEX", "PCM_24", 48_000, channels=6),
    "wav-7.1": lambda s: sndfile(s, "WAVEX", "PCM_16", 48_000, channels=8),
    "wav-w64": lambda s: sndfile(s, "W64", "PCM_16", 44_100),
    "wav-mp3": lambda s: ffmpeg(s, "wav", "libmp3lame", 44_100),
    "wav-8-khz": lambda s: sndfile(s, "WAV", "PCM_16", 8_000),
    "wav-12-channels": lambda s: sndfile(s, "WAV", "FLOAT", 16_000, channels=12),
    "aiff": lambda s: sndfile(s, "AIFF", "PCM_16", 44_100),
    "aifc-float": lambda s: sndfile(s, "AIFF", "FLOAT", 44_100),
    "aifc-little-endian": lambda s: endian(s, "AIFF", "LITTLE"),
    "aifc-mu-law": lambda s: sndfile(s, "AIFF", "ULAW", 8_000),
    "caf": lambda s: sndfile(s, "CAF", "PCM_16", 44_100),
    "caf-alac": lambda s: sndfile(s, "CAF", "ALAC_16", 44_100),
    "au-16-bit": lambda s: sndfile(s, "AU", "PCM_16", 32_000),
    "au": lambda s: sndfile(s, "AU", "ULAW", 8_000),
    "flac": lambda s: sndfile(s, "FLAC", "PCM_16", 44_100),
    "flac-24-bit-stereo": lambda s: sndfile(s, "FLAC", "PCM_24", 96_000, channels=2),
    "flac-5.1": lambda s: sndfile(s, "FLAC", "PCM_16", 48_000, channels=6),
    "flac-7.1": lambda s: sndfile(s, "FLAC", "PCM_16", 48_000, channels=8),
    "mp3-8-khz": lambda s: ffmpeg(s, "mp3", "libmp3lame", 8_000),
    "mp3-24-khz": lambda s: ffmpeg(s, "mp3", "libmp3lame", 24_000),
    "mp2": lambda s: ffmpeg(s, "mp2", "mp2", 44_100),
    "mp3": lambda s: ffmpeg(s, "mp3", "libmp3lame", 44_100),
    "mp3-without-xing": lambda s: ffmpeg(s, "mp3", "libmp3lame", 16_000, write_xing="0"),
    "mp3-stereo": lambda s: sndfile(s, "MP3", "MPEG_LAYER_III", 44_100, channels=2),
    "ogg-vorbis": lambda s: sndfile(s, "OGG", "VORBIS", 44_100),
    "ogg-opus": lambda s: ffmpeg(s, "ogg", "libopus"),
    "ogg-opus-5.1": lambda s: surround(s, "ogg", "libopus", "5.1"),
    "ogg-flac": lambda s: ffmpeg(s, "ogg", "flac", 44_100),
    "m4a": lambda s: ffmpeg(s, "ipod", "aac", 44_100),
    "m4a-alac": lambda s: ffmpeg(s, "ipod", "alac", 44_100),
    "mp4-fragmented": lambda s: ffmpeg(s, "mp4", "aac", movflags="frag_keyframe+empty_moov"),
    "m4a-5.1": lambda s: surround(s, "ipod", "aac", "5.1"),
    "m4a-7.1": lambda s: surround(s, "ipod", "aac", "7.1"),
    "m4a-index-first": lambda s: sounds.index_first(ffmpeg(s, "ipod", "aac", 44_100)),
    "mp4-opus": lambda s: ffmpeg(s, "mp4", "libopus"),
    "mov": lambda s: ffmpeg(s, "mov", "pcm_s16be", 44_100),
    "mov-with-video": lambda s: ffmpeg(s, "mov", "aac", video=True),
    "3gp": lambda s: ffmpeg(s, "3gp", "libopencore_amrnb", 8_000),
    "mp4-with-video": lambda s: ffmpeg(s, "mp4", "aac", video=True),
    "aac-adts": lambda s: ffmpeg(s, "adts", "aac", 16_000),
    "webm": lambda s: ffmpeg(s, "webm", "libopus"),
    "webm-live": lambda s: ffmpeg(s, "webm", "libopus", live="1"),
    "matroska-aac": lambda s: ffmpeg(s, "matroska", "aac"),
    "matroska-with-video": lambda s: ffmpeg(s, "matroska", "libopus", video=True),
    "matroska-flac": lambda s: ffmpeg(s, "matroska", "flac"),
    "matroska-pcm": lambda s: ffmpeg(s, "matroska", "pcm_s16le", 32_000),
    "amr": lambda s: ffmpeg(s, "amr", "libopencore_amrnb", 8_000),
}


def endian(signal: Signal, kind: str, order: str) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, signal(16_000), 16_000, format=kind, subtype="PCM_16", endian=order)
    return out.getvalue()


def surround(signal: Signal, muxer: str, codec: str, layout: str) -> bytes:
    """Put the sound into every channel; no mix holds that of the low frequencies."""
    samples = np.repeat(signal(48_000)[:, None], av.AudioLayout(layout).nb_channels, axis=1)
    return muxed(samples, 48_000, muxer, codec, layout=layout)


@cache
def file(name: str) -> bytes:
    """Make the file of that kind with a tone of a second."""
    return FILES[name](tone)


def cut(name: str, fraction: float) -> bytes:
    data = file(name)
    return data[: int(len(data) * fraction)]
