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


def tone(rate_hz: int, duration_s: float = DURATION_S) -> NDArray[np.float32]:
    """A sine of 440 Hz at half of full scale: float32 [n]."""
    times_s = np.arange(round(rate_hz * duration_s)) / rate_hz
    return (AMPLITUDE * np.sin(2 * np.pi * TONE_HZ * times_s)).astype(np.float32)


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
) -> bytes:
    """Mono ``samples`` as FFmpeg writes them, beside a video track where one is asked for."""
    file = io.BytesIO()
    with av.open(file, "w", format=muxer, options=dict(options or {})) as container:
        pictures = _add_video(container) if video else None
        stream = container.add_stream(codec, rate=rate_hz, layout="mono")
        encoder = stream.codec_context
        encoder.open()
        resampler = av.AudioResampler(encoder.format, "mono", rate_hz, encoder.frame_size or None)
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
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


def wav(data: bytes, *, promised_bytes: int | None = None, rate_hz: int = 16_000) -> bytes:
    """Mono 16-bit WAV; its header promises ``promised_bytes`` of samples (None: what there is)."""
    size = len(data) if promised_bytes is None else promised_bytes
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate_hz, 2 * rate_hz, 2, 16)
    chunks = b"WAVE" + form + struct.pack("<4sI", b"data", size) + data
    return struct.pack("<4sI", b"RIFF", min(size + 36, 0xFFFF_FFFF)) + chunks


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
