"""Decodes one audio file through FFmpeg, and counts what could not be decoded.

An upload may be anything, so FFmpeg is allowed no more than it needs: these demuxers (none that
opens further files or addresses, as playlists do), these decoders, and no protocol at all.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from models.audio.resample import Resampler
from models.audio.steps import Steps
from models.errors import NotAudio
from models.types import SAMPLE_RATE_HZ

DEMUXERS = "wav,flac,mp3,ogg,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,aac,aiff,au,amr,caf,w64"
DECODERS = (
    *(f"pcm_{kind}" for kind in ("u8", "s8", "mulaw", "alaw")),
    *(f"pcm_{kind}{end}" for kind in ("s16", "s24", "s32", "f32", "f64") for end in ("le", "be")),
    *("adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt", "gsm", "gsm_ms", "alac", "flac"),
    *("vorbis", "opus", "libopus", "speex", "mp3", "mp3float", "mp2", "mp2float", "aac"),
    *("amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb"),
)
TAKEN = (
    "Taken are WAV, W64, AIFF, AU, CAF, FLAC, MP3, AAC, AMR, Ogg (Vorbis, Opus, FLAC, Speex), "
    "WebM, Matroska, MP4, M4A and MOV (AAC, ALAC, Opus, MP3, PCM)."
)

OPEN_OPTIONS = {
    "format_whitelist": DEMUXERS,
    "codec_whitelist": ",".join(DECODERS),
    "protocol_whitelist": "",
    "max_probe_packets": "1",  # do not search WAV for hidden DTS, which takes time in every request
    "max_size": "16384",  # bytes of a WAV packet: 4 times fewer packets than by default
}
# FFmpeg hides some damage unless it is told to stop there.
_STRICT = {"err_detect": "crccheck+bitstream+buffer+explode"}

# Bounds the packets without sound in one upload. A damaged file has some of them; a hostile file
# may hold millions.
MAX_BARREN_PACKETS = 20_000
MAX_READ_ERRORS = 100
AV_TIME_BASE = 1_000_000  # units of a container's duration in a second

# A codec's delay is cut off, so a whole file may give so much less than its packets hold.
_SLACK_S, _SLACK_SAMPLES = 0.05, 3_500
_WITH_DELAY = ("aac", "mp3", "mp2")


@dataclass(slots=True)
class Outcome:
    """The result of decoding a file."""

    decoded_s: float = 0.0
    stated_s: float = 0.0  # the stated length; 0: none is stated
    spanned_s: float = 0.0  # from the first time stamp to the last
    slack_s: float = _SLACK_S
    packets: int = 0
    failed: int = 0  # places that could not be read or decoded
    failed_last: bool = False  # the last packet is one of them
    gave_up: bool = False

    def note_failure(self) -> None:
        """Count a place that could not be read or decoded."""
        self.failed, self.failed_last = self.failed + 1, True

    @property
    def promised_s(self) -> float:
        """Return the length that the whole file would have."""
        return max(self.stated_s, self.spanned_s)

    @property
    def reaches_end(self) -> bool:
        """Tell whether the packets go on to the end that the file states."""
        return self.spanned_s + self.slack_s >= self.stated_s

    @property
    def is_short(self) -> bool:
        """Tell whether more than ``slack_s`` is missing of the promised length."""
        return self.decoded_s + self.slack_s < self.promised_s


class Undecodable(Exception):
    """FFmpeg cannot open the file."""


class Decoder:
    """Decodes the files of one upload, one after the other, into one recording."""

    def __init__(self, resampled: Resampler) -> None:
        self._resampled = resampled
        self._barren_left = MAX_BARREN_PACKETS

    def decode(self, file: io.RawIOBase, demuxer: str, *, states_length: bool) -> Steps[Outcome]:
        """Decode all that can be decoded of ``file``, in steps of one packet.

        Strict decoders find damage, and leave out what fails a checksum. If they leave nothing,
        because a writer's checksums are all wrong, the file is decoded again without checksums.

        Raises:
            Undecodable: it cannot be opened.
            NotAudio: there is no sound track, or it is in a codec that is not taken.
            InvalidRequest, TooLarge: see ``Resampler.add``.
        """
        outcome = yield from self._pass(file, demuxer, _STRICT, states_length)
        if outcome.failed and not outcome.decoded_s:
            file.seek(0)
            failed = outcome.failed
            outcome = yield from self._pass(file, demuxer, {}, states_length)
            outcome.failed = max(failed, outcome.failed)
        return outcome

    def _pass(
        self, file: io.RawIOBase, demuxer: str, options: dict[str, str], states_length: bool
    ) -> Steps[Outcome]:
        outcome = Outcome()
        try:
            with av.open(file, format=demuxer, options=OPEN_OPTIONS) as container:
                stream = _sound(container)
                stream.codec_context.options = options
                yield from self._decode(container, stream, outcome)
                if states_length:
                    outcome.stated_s = _stated_s(container, stream)
        except (av.FFmpegError, ValueError) as error:  # PyAV raises both
            if not outcome.packets:
                raise Undecodable from error
            outcome.note_failure()
        self._resampled.flush()
        return outcome

    def _decode(
        self, container: InputContainer, stream: AudioStream, outcome: Outcome
    ) -> Steps[None]:
        if stream.codec_context.codec.name.startswith(_WITH_DELAY):
            rate_hz = stream.codec_context.sample_rate or SAMPLE_RATE_HZ
            outcome.slack_s = max(_SLACK_S, _SLACK_SAMPLES / rate_hz)
        first_s: float | None = None
        for packet in _packets(container, stream, outcome):
            outcome.packets += 1
            if not self._add(packet, stream, outcome):
                self._barren_left -= 1
            if self._barren_left <= 0:
                outcome.gave_up = True
                return
            if packet.pts is not None:
                at_s = float(packet.pts * packet.time_base)
                first_s = at_s if first_s is None else first_s
                end_s = at_s + float((packet.duration or 0) * packet.time_base)
                outcome.spanned_s = max(outcome.spanned_s, end_s - first_s)
            yield self._resampled.gathered_bytes

    def _add(self, packet: Packet[AudioStream], stream: AudioStream, outcome: Outcome) -> bool:
        """Decode a packet. Return False if it gave no sound."""
        is_bad, frames = packet.is_corrupt, []  # FFmpeg marks packets that are too short
        try:
            frames = stream.decode(packet)
        except (av.FFmpegError, ValueError):
            is_bad = True
        for frame in frames:
            self._resampled.add(frame)
            outcome.decoded_s += frame.samples / frame.sample_rate
        if is_bad:
            outcome.note_failure()
        elif packet.size:  # the last packet is empty, and flushes the decoder
            outcome.failed_last = False
        return bool(frames)


def stated_s(file: io.RawIOBase, demuxer: str) -> float | None:
    """Return the length that a file states; None: it states none, or it cannot be opened."""
    try:
        with av.open(file, format=demuxer, options=OPEN_OPTIONS) as container:
            return _stated_s(container, _sound(container)) or None
    except (av.FFmpegError, ValueError, NotAudio):
        return None


def _stated_s(container: InputContainer, stream: AudioStream) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / AV_TIME_BASE


def _sound(container: InputContainer) -> AudioStream:
    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream):
        raise NotAudio("The file has no sound track.", param="file")
    decoder = stream.codec_context
    if decoder is None or decoder.codec.name not in DECODERS:
        message = "The sound track is in a codec that is not taken"
        raise NotAudio(f"{message}. {TAKEN}", param="file")
    return stream


def _packets(
    container: InputContainer, stream: AudioStream, outcome: Outcome
) -> Iterator[Packet[AudioStream]]:
    """Yield all packets; skip those that cannot be read."""
    for _ in range(MAX_READ_ERRORS):
        try:
            yield from container.demux(stream)
            return
        except (av.FFmpegError, ValueError):
            outcome.note_failure()
    outcome.gave_up = True
