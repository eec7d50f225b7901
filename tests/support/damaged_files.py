"""Files to damage, and measures of what is decoded of them."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from functools import cache

import numpy as np

from models.audio import decode
from models.audio.samples import to_float32
from models.types import SAMPLE_RATE_HZ, Audio
from tests.support.sounds import (
    STEP_HZ,
    index_first,
    muxed,
    steps,
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
# An item, and the foot that counts both.
APE = bytes(20) + b"APETAGEX" + struct.pack("<4I", 2_000, 52, 1, 0) + bytes(8)
WAV_DATA = (np.clip(steps(16_000), -1, 1) * 32_767).astype("<i2").tobytes()


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
