"""Writes dubbed films: pictures and original sound copied, the dubbed track and subtitles added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, BinaryIO

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition

from models.audio import film_source
from models.audio.decode import frame_of
from models.audio.encode import encoder_rate_hz
from models.audio.film_source import MUXERS, Film, VideoFormat
from models.audio.samples import to_int16
from models.audio.steps import Steps
from models.audio.subtitles import Cue, streams
from models.audio.subtitles.streams import Codec
from models.errors import InvalidRequest, TooLarge
from models.text.languages import three_letters
from models.types import Audio

MEDIA_TYPES: dict[VideoFormat, str] = {
    "mp4": "video/mp4",
    "mkv": "video/x-matroska",
    "webm": "video/webm",
}
_SOUND: Mapping[VideoFormat, str] = {"mp4": "aac", "mkv": "libopus", "webm": "libopus"}
_SUBTITLES: Mapping[VideoFormat, Codec] = {"mp4": "mov_text", "mkv": "subrip", "webm": "webvtt"}
BITRATE = 96_000  # of the dubbed track: mono, and music may lie under the voice
# What a film may grow by, beside the dubbed track: other heads of packets, subtitles.
SPARE_BYTES, SPARE_SHARE = 4 << 20, 0.1
OPTIONS = {
    "fflags": "bitexact",
    "max_interleave_delta": "500000",  # microseconds of packets that wait for a sparse stream
}


@dataclass(frozen=True, slots=True, eq=False)
class Dub:
    """The tracks that are added to a film.

    Attributes:
        track: all of it as long as the film's own sound, in pieces.
        rate_hz, duration_s: of the track.
        language: of the track and the subtitles, by ISO 639-1 as far as that has one.
        original_language: None: not known.
        cues: None: no subtitles.
        tags: of the file.
    """

    track: Iterable[Audio]
    rate_hz: int
    duration_s: float
    language: str
    original_language: str | None = None
    cues: Sequence[Cue] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def mux_steps(
    source: BinaryIO, video_format: VideoFormat, dub: Dub, target: BinaryIO
) -> Steps[None]:
    """Write a dubbed film to ``target``, in steps of a packet.

    The dubbed track is the first sound track, and the one that players choose; the original is
    the second one. Other tracks, attachments and chapters are left out. Times are the film's own.

    Raises:
        InvalidRequest: the film cannot be read, or its times are out of order.
        TooLarge: it grows by more than a dubbed track: packets are listed more than once.
    """
    most_bytes = _most_bytes(source, dub)
    times = yield from film_source.decode_times(source, video_format)
    bounded = _Bounded(target, most_bytes)
    try:
        with (
            film_source.opened(source, video_format) as film,
            av.open(bounded, "w", format=MUXERS[video_format], options=OPTIONS) as container,
        ):
            container.metadata.update(dub.tags)
            yield from _Muxing(container, film, video_format, dub).all_steps(times)
    except av.FFmpegError as error:
        if bounded.is_full:  # and so its end could not be written, either
            raise bounded.refusal() from error
        message = f"The film cannot be copied to {video_format}: its times are out of order."
        raise InvalidRequest(message, param="file") from error


def _most_bytes(source: BinaryIO, dub: Dub) -> int:
    size = source.seek(0, 2)
    track_bytes = 2 * BITRATE / 8 * dub.duration_s
    return round(size * (1 + SPARE_SHARE) + track_bytes) + SPARE_BYTES


class _Bounded:
    """A file that takes no more bytes than it was opened for."""

    def __init__(self, file: BinaryIO, most_bytes: int) -> None:
        self._file, self._most_bytes, self.is_full = file, most_bytes, False
        self.seek, self.tell, self.read = file.seek, file.tell, file.read

    def write(self, data: bytes) -> int:
        if self._file.tell() + len(data) > self._most_bytes:
            self.is_full = True
            raise self.refusal()
        return self._file.write(data)

    def refusal(self) -> TooLarge:
        message = f"The dubbed film would have more than {self._most_bytes} bytes."
        return TooLarge(message, param="file")


class _Muxing:
    """One film that is being written: its streams, and how far each of them is."""

    def __init__(
        self, container: OutputContainer, film: Film, video_format: VideoFormat, dub: Dub
    ) -> None:
        self._container, self._film = container, film
        language = three_letters(dub.language)
        self._video = container.add_stream_from_template(film.video, opaque=True)
        self._voice = _Voice(container, _SOUND[video_format], dub, film.sound_starts_s)
        self._voice.stream.metadata.update(language=language, title="Dubbed")
        self._voice.stream.disposition = Disposition.default
        self._original: AudioStream | None = None
        if film.audio is not None:
            self._original = container.add_stream_from_template(film.audio, opaque=True)
            original = three_letters(dub.original_language or "und")
            self._original.metadata.update(language=original, title="Original")
            self._original.disposition = Disposition.original
        self._cues: list[tuple[float, Packet[Any]]] = []
        if dub.cues is not None:
            codec = _SUBTITLES[video_format]
            subtitles = streams.add_stream(container, codec, language)
            moved = [_later(cue, film.sound_starts_s) for cue in dub.cues]
            made = streams.packets(moved, codec, subtitles)
            timed = [(cue.start_s, packet) for cue, packet in zip(moved, made, strict=True)]
            self._cues = timed[::-1]

    def all_steps(self, times: Iterator[int] | None) -> Steps[None]:
        """Write all packets in the order of their times. ``times``: see ``decode_times``."""
        for packet in self._film.packets():
            is_video = packet.stream is self._film.video
            if is_video and times is not None and packet.pts is not None:
                packet.dts = next(times, packet.pts)
            elif packet.dts is None:
                packet.dts = packet.pts
            assert packet.dts is not None
            assert packet.time_base is not None
            yield from self._added_until(float(packet.dts * packet.time_base))
            copied = self._video if is_video else self._original
            assert copied is not None
            packet.stream = copied
            self._container.mux(packet)
            yield 0
        yield from self._added_until(float("inf"))

    def _added_until(self, at_s: float) -> Steps[None]:
        """Write what is added up to a time."""
        for packet in self._voice.until(at_s):
            self._container.mux(packet)
            yield 0
        while self._cues and self._cues[-1][0] <= at_s:
            self._container.mux(self._cues.pop()[1])


class _Voice:
    """The dubbed track, encoded piece by piece while the film is copied."""

    def __init__(self, container: OutputContainer, codec: str, dub: Dub, starts_s: float) -> None:
        rate_hz = encoder_rate_hz(codec, dub.rate_hz)
        stream = container.add_stream(codec, rate=rate_hz, layout="mono")
        assert isinstance(stream, AudioStream)
        self.stream = stream
        self.stream.bit_rate = BITRATE
        context = self.stream.codec_context
        context.open()
        self._resampler = AudioResampler(
            format=context.format,
            layout="mono",
            rate=rate_hz,
            frame_size=context.frame_size or None,
        )
        self._rate_hz, self._starts_s, self._done = dub.rate_hz, starts_s, 0
        self._frames = self._all_frames(dub.track)
        self._has_ended = False

    def until(self, at_s: float) -> Iterator[Packet[AudioStream]]:
        """Yield the packets up to a time of the film, or to the end."""
        while not self._has_ended and self._starts_s + self._done / self._rate_hz <= at_s:
            frame = next(self._frames, None)
            self._has_ended = frame is None
            yield from self.stream.encode(frame)

    def _all_frames(self, track: Iterable[Audio]) -> Iterator[AudioFrame]:
        """Yield frames of the encoder's size."""
        step = self._rate_hz // 10
        for audio in track:
            for start in range(0, len(audio.samples), step):
                samples = to_int16(audio.samples[start : start + step])
                frame = frame_of(samples, self._rate_hz)
                frame.time_base = Fraction(1, self._rate_hz)
                frame.pts = round(self._starts_s * self._rate_hz) + self._done
                self._done += len(samples)
                yield from self._resampled(frame)
        if self._done:
            yield from self._resampled(None)

    def _resampled(self, frame: AudioFrame | None) -> Iterator[AudioFrame]:
        return (made for made in self._resampler.resample(frame) if made is not None)


def _later(cue: Cue, by_s: float) -> Cue:
    return Cue(max(0.0, cue.start_s + by_s), max(0.0, cue.end_s + by_s), cue.lines)
