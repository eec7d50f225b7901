"""Files of every kind that is decoded, each with a tone in it."""

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


def decoded(data: bytes, max_duration_s: float = LIMIT_S) -> Audio:
    return decode.decode(data, max_duration_s=max_duration_s)


def ints(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    return to_int16(samples)


def frequency_hz(samples: NDArray[np.float32]) -> float:
    """Return the frequency of the strongest component."""
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


def cut(name: str, fraction: float) -> bytes:
    data = file(name)
    return data[: int(len(data) * fraction)]
