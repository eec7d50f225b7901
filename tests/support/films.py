"""Films that are made in memory: pictures of any codec beside a sound, and what is in a file."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache

import av
import numpy as np
from numpy.typing import NDArray

from models.types import SAMPLE_RATE_HZ, Audio
from tests.support.sounds import tone

FRAMES_A_S, SIDE = 25, 64
# How an encoder of pictures takes the least time; nobody looks at them.
QUICKLY = {
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    "libx264": {"preset": "ultrafast"},
    "libx265": {"preset": "ultrafast"},
}


@dataclass(frozen=True)
class Track:
    """A stream of a file, as a player sees it."""

    kind: str
    codec: str
    language: str | None
    is_default: bool
    packets: tuple[tuple[float, bytes], ...]  # times when each is shown


@cache
def film(
    muxer: str = "mp4",
    pictures: str = "libx264",
    sound: str | None = "aac",
    seconds: int = 3,
    streams: int = 0,
    late_s: float = 0.0,
    loudness: float = 1.0,
    attached: int = 0,
) -> bytes:
    """A film with a tone.

    Args:
        streams: of sound beside the first one.
        late_s: when the sound begins.
        loudness: of the tone; 0: silence.
        attached: files that are attached, as fonts are to Matroska.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as container:
        video = container.add_stream(pictures, rate=FRAMES_A_S, options=QUICKLY.get(pictures))
        video.width = video.height = SIDE
        video.pix_fmt = "yuv420p"
        names = [sound] * (streams + 1) if sound else []
        tracks = [container.add_stream(name, rate=48_000, layout="mono") for name in names]
        for number in range(attached):
            container.add_attachment(f"{number}.ttf", "font/ttf", bytes(1_000))
        for number in range(seconds * FRAMES_A_S):
            values = np.full((SIDE, SIDE, 3), number % 250, np.uint8)
            picture = av.VideoFrame.from_ndarray(values, format="rgb24")
            picture.pts = number
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        for track in tracks:
            _add_tone(container, track, loudness * tone(48_000, seconds), late_s)
    return file.getvalue()


def _add_tone(
    container: av.container.OutputContainer,
    track: av.AudioStream,
    samples: NDArray[np.float32],
    late_s: float,
) -> None:
    encoder = track.codec_context
    if not encoder.is_open:
        encoder.open()
    resampler = av.AudioResampler(encoder.format, "mono", 48_000, encoder.frame_size or None)
    samples = np.ascontiguousarray(samples[None], np.float32)
    frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="mono")
    frame.sample_rate, frame.pts = 48_000, round(late_s * 48_000)
    for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
        container.mux(track.encode(piece))


def tracks_of(data: bytes) -> list[Track]:
    """List the streams of a file."""
    with av.open(io.BytesIO(data)) as container:
        found: dict[int, list[tuple[float, bytes]]] = {s.index: [] for s in container.streams}
        for packet in container.demux():
            if packet.pts is not None:
                at_s = float(packet.pts * packet.time_base)
                found[packet.stream.index].append((at_s, bytes(packet)))
        return [
            Track(
                stream.type,
                stream.codec_context.name,
                stream.metadata.get("language"),
                bool(stream.disposition & av.stream.Disposition.default),
                tuple(found[stream.index]),
            )
            for stream in container.streams
        ]


def sound_of(data: bytes, track: int = 0) -> tuple[float, NDArray[np.float32]]:
    """Decode a sound track: when it begins, and its samples at 48 kHz."""
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.audio[track]
        resampler = av.AudioResampler(format="flt", layout="mono", rate=48_000)
        frames = [*container.decode(stream)]
        starts_s = float(frames[0].pts * frames[0].time_base)
        pieces = [piece for frame in [*frames, None] for piece in resampler.resample(frame)]
    return starts_s, np.concatenate([piece.to_ndarray()[0] for piece in pieces if piece])


def pictures_of(data: bytes) -> int:
    """Count the pictures that a player shows."""
    with av.open(io.BytesIO(data)) as container:
        return sum(1 for _ in container.decode(video=0))


def beeps(seconds: int, at_s: float, rate_hz: int = SAMPLE_RATE_HZ) -> Audio:
    """Silence, and a tenth of a second of a tone at ``at_s``."""
    samples = np.zeros(seconds * rate_hz, np.float32)
    start = round(at_s * rate_hz)
    samples[start : start + rate_hz // 10] = tone(rate_hz)[: rate_hz // 10]
    return Audio(np.rint(samples * 32_767).astype(np.int16), rate_hz)
