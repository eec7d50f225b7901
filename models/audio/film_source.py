"""Opens films for a copy of their pictures, which are not decoded, and checks what holds them."""

from __future__ import annotations

import io
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO, Literal, TypeAlias

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from models.audio import formats
from models.audio.ffmpeg import MAX_READ_ERRORS, OPEN_OPTIONS
from models.audio.steps import Steps
from models.errors import InvalidRequest, Unprocessable

VideoFormat: TypeAlias = Literal["mp4", "mkv", "webm"]
MUXERS: dict[VideoFormat, str] = {"mp4": "mp4", "mkv": "matroska", "webm": "webm"}
DEMUXERS = {"MP4": "mov", "Matroska": "matroska"}
# The head of an MP4 tells of VP9 what only its decoder knows.
UNDECODED_NOT_IN: Mapping[VideoFormat, frozenset[str]] = {"mp4": frozenset({"vp9"})}
HEAD_BYTES = 1 << 16  # in which a container shows what it is
MAX_STREAMS = 64
MAX_PACKETS = 3_000_000  # of a film: several hours of pictures and sound
NO_FILM = (
    "response_format {} needs a film with pictures: MP4, MOV, Matroska or WebM. "
    "For sound alone take wav, mp3, opus or flac with fit=duration"
)


@dataclass(frozen=True, slots=True)
class Film:
    """An open film: its pictures, and its sound where it has some that can be read."""

    container: InputContainer
    video: VideoStream
    audio: AudioStream | None

    @property
    def sound_starts_s(self) -> float:
        """Return when the sound begins, on the film's own clock."""
        stream: AudioStream | VideoStream = self.audio or self.video
        if stream.start_time is None or stream.time_base is None:
            return 0.0
        return float(stream.start_time * stream.time_base)

    def packets(self) -> Iterator[Packet[Any]]:
        """Yield what is copied, in the order of the file; what cannot be read is left out.

        Raises:
            InvalidRequest: there are too many.
        """
        for number, packet in enumerate(self._readable()):
            if number >= MAX_PACKETS:
                message = f"The film has more than {MAX_PACKETS} packets."
                raise InvalidRequest(message, param="file")
            if packet.pts is not None or packet.dts is not None:  # the last ones are empty
                yield packet

    def _readable(self) -> Iterator[Packet[Any]]:
        streams = [self.video] if self.audio is None else [self.video, self.audio]
        for _ in range(MAX_READ_ERRORS):
            try:
                yield from self.container.demux(streams)
                return
            except (av.FFmpegError, ValueError):
                continue


@contextmanager
def opened(source: BinaryIO, video_format: VideoFormat) -> Iterator[Film]:
    """Open a film. ``video_format``: what shall be made of it, for messages.

    Raises:
        InvalidRequest: it has no pictures, too many streams, or cannot be read.
    """
    source.seek(0)
    recognised = formats.recognise(source.read(HEAD_BYTES))
    demuxer = DEMUXERS.get(recognised[0].name) if recognised else None
    if demuxer is None:
        raise _no_film(video_format)
    source.seek(0)
    try:
        container = av.open(source, format=demuxer, options=OPEN_OPTIONS)
    except (av.FFmpegError, ValueError) as error:  # PyAV raises both
        raise InvalidRequest("The film cannot be read: it is damaged.", param="file") from error
    with container:
        yield _film(container, video_format)


def _film(container: InputContainer, video_format: VideoFormat) -> Film:
    if len(container.streams) > MAX_STREAMS:
        message = f"The film has {len(container.streams)} streams; at most {MAX_STREAMS} are taken."
        raise InvalidRequest(message, param="file")
    pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not pictures or pictures[0].codec_context is None:
        raise _no_film(video_format)
    sound = container.streams.best("audio")
    is_known = isinstance(sound, AudioStream) and sound.codec_context is not None
    return Film(container, pictures[0], sound if is_known else None)


def _no_film(video_format: VideoFormat) -> InvalidRequest:
    return InvalidRequest(NO_FILM.format(video_format), param="response_format")


def check(source: BinaryIO, video_format: VideoFormat) -> None:
    """Refuse a film that cannot be written as ``video_format``, before any work is done.

    Raises:
        InvalidRequest: see ``opened``.
        Unprocessable: that container does not hold its pictures or its sound; the message names
            those that do.
    """
    with opened(source, video_format) as film:
        codecs = {"pictures": film.video.codec_context.name}
        if not film.video.codec_context.width:
            message = (
                f"The film's pictures ({codecs['pictures']}) tell their size to a decoder alone, "
                "and they are not decoded here. Take a film in H.264, HEVC, AV1, VP8 or VP9."
            )
            raise Unprocessable(message, param="file")
        if film.audio is not None:
            codecs["sound"] = film.audio.codec_context.name
    for what, codec in codecs.items():
        if codec in held(video_format):
            continue
        others = [name for name in MUXERS if set(codecs.values()) <= held(name)]
        takes = f"take {' or '.join(others)}" if others else "no container here holds both"
        message = f"{video_format} cannot hold the film's {what} ({codec}), which are not encoded"
        raise Unprocessable(f"{message} anew: {takes}", param="response_format")


@cache
def held(video_format: VideoFormat) -> frozenset[str]:
    """Return the codecs that a container holds."""
    with av.open(io.BytesIO(), "w", format=MUXERS[video_format]) as container:
        codecs = frozenset(container.supported_codecs)
    return codecs - UNDECODED_NOT_IN.get(video_format, frozenset())


def decode_times(source: BinaryIO, video_format: VideoFormat) -> Steps[Iterator[int] | None]:
    """Return when each packet of pictures is decoded; None: the film says so itself.

    Matroska states only when pictures are shown. They are decoded in the same order of times, so
    much earlier that none is shown before. It takes steps of a packet.
    """
    shown = array("q")
    with opened(source, video_format) as film:
        if "matroska" not in film.container.format.name:
            return None
        for packet in Film(film.container, film.video, None).packets():
            if packet.pts is not None:
                shown.append(packet.pts)
            yield shown.itemsize * len(shown)
    times = np.frombuffer(shown, np.int64)
    in_order = np.sort(times)
    ahead = int(np.max(in_order - times, initial=0))
    return (int(due) - ahead for due in in_order)
