"""Audio and video files of every kind, made in memory for the tests of decoding."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

TONE_HZ, AMPLITUDE, DURATION_S = 440.0, 0.5, 1.0
STEP_HZ = 400.0


def tone(rate_hz: int, duration_s: float = DURATION_S) -> NDArray[np.float32]:
    """A sine of 440 Hz at half of full scale: float32 [n]."""
    times_s = np.arange(round(rate_hz * duration_s)) / rate_hz
    return (AMPLITUDE * np.sin(2 * np.pi * TONE_HZ * times_s)).astype(np.float32)


def steps(rate_hz: int, seconds: int = 6) -> NDArray[np.float32]:
    """A tone that is 100 Hz higher each second, from ``STEP_HZ`` on, over soft noise."""
    seconds_of = np.arange(rate_hz * seconds) // rate_hz
    phase = 2 * np.pi * np.cumsum(STEP_HZ + 100 * seconds_of) / rate_hz
    noise = np.random.default_rng(5).standard_normal(len(phase))  # or codecs have little to keep
    return (0.3 * np.sin(phase) + 0.02 * noise).astype(np.float32)


def written(samples: NDArray[Any], rate_hz: int, kind: str, subtype: str) -> bytes:
    """``samples``, [n] or [n, channels], as libsndfile writes them."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=kind, subtype=subtype)
    return file.getvalue()


def muxed(
    samples: NDArray[np.float32],
    rate_hz: int,
    muxer: str,
    codec: str,
    options: Mapping[str, str] | None = None,
    *,
    video: bool = False,
    layout: str = "mono",
    encoder_options: Mapping[str, str] | None = None,
) -> bytes:
    """``samples`` as FFmpeg writes them, beside a video track where one is asked for.

    Mono [n], or [n, channels] of what ``layout`` names.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=muxer, options=dict(options or {})) as container:
        pictures = _add_video(container) if video else None
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        encoder = stream.codec_context
        encoder.options = dict(encoder_options or {})
        encoder.open()
        resampler = av.AudioResampler(encoder.format, layout, rate_hz, encoder.frame_size or None)
        packed = np.ascontiguousarray(samples, np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.sample_rate, frame.pts = rate_hz, 0
        if pictures:
            _mux_video(container, pictures)
        for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
            container.mux(stream.encode(piece))
    return file.getvalue()


def silent_video() -> bytes:
    """An MP4 file with a video track and no sound."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        _mux_video(container, _add_video(container))
    return file.getvalue()


def picture() -> bytes:
    """A PNG file."""
    file = io.BytesIO()
    with av.open(file, "w", format="image2pipe") as container:
        stream = container.add_stream("png", rate=1)
        stream.width = stream.height = 16
        stream.pix_fmt = "rgb24"
        container.mux(stream.encode(av.VideoFrame(16, 16, "rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


def wav(
    data: bytes,
    *,
    promised_bytes: int | None = None,
    rate_hz: int = 16_000,
    before: bytes = b"",
    behind: bytes = b"",
) -> bytes:
    """Mono 16-bit WAV; its header promises ``promised_bytes`` of samples (None: what there is).

    Chunks stand ``before`` the samples and ``behind`` them.
    """
    size = len(data) if promised_bytes is None else promised_bytes
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate_hz, 2 * rate_hz, 2, 16)
    chunks = b"WAVE" + form + before + struct.pack("<4sI", b"data", size) + data + behind
    total = min(size + len(chunks) - len(data), 0xFFFF_FFFF)
    return struct.pack("<4sI", b"RIFF", total) + chunks


def index_first(mp4: bytes) -> bytes:
    """An MP4 with its box ``moov`` before the sound, as web servers want it."""
    position, boxes = 0, {}
    while position < len(mp4):
        size, name = struct.unpack_from(">I4s", mp4, position)
        boxes[name] = mp4[position : position + size]
        position += size
    moov = bytearray(boxes.pop(b"moov"))
    table = moov.index(b"stco") + 8
    (count,) = struct.unpack_from(">I", moov, table)
    for at in range(table + 4, table + 4 + 4 * count, 4):
        (offset,) = struct.unpack_from(">I", moov, at)
        struct.pack_into(">I", moov, at, offset + len(moov))
    return boxes.pop(b"ftyp") + bytes(moov) + b"".join(boxes.values())


def without_last_mark(ogg: bytes) -> bytes:
    """An Ogg file whose last page is not marked as the last, its checksum mended."""
    page = ogg.rindex(b"OggS")
    changed = bytearray(ogg)
    changed[page + 5] &= ~4
    changed[page + 22 : page + 26] = bytes(4)
    checksum = 0
    for byte in changed[page:]:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x04C11DB7 if checksum >> 31 else 0)) & 0xFFFF_FFFF
    struct.pack_into("<I", changed, page + 22, checksum)
    return bytes(changed)


def _add_video(container: Any) -> Any:
    stream = container.add_stream("mpeg4", rate=25)
    stream.width = stream.height = 16
    stream.pix_fmt = "yuv420p"
    return stream


def _mux_video(container: Any, stream: Any) -> None:
    for number in range(5):
        frame = av.VideoFrame.from_ndarray(np.zeros((24, 16), np.uint8), format="yuv420p")
        frame.pts = number
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
