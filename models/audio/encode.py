"""Encodes audio as files, whole or while the audio is being made."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from fractions import Fraction
from typing import Literal, Protocol, TypeAlias

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from models.audio.decode import STEP_S, frame_of, resample
from models.audio.marks import Tags, wav_info
from models.audio.samples import to_int16
from models.audio.steps import Steps, finished
from models.types import Audio

PCM_RATE_HZ = 24_000  # of OpenAI's API, which players of bare samples expect
AudioFormat: TypeAlias = Literal["wav", "mp3", "opus", "flac", "aac", "pcm"]
MEDIA_TYPES: dict[str, str] = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",  # RFC 7845: Opus travels in Ogg
    "flac": "audio/flac",
    "aac": "audio/aac",
    "pcm": f"audio/pcm; rate={PCM_RATE_HZ}; channels=1",
}

# Speech, mono: transparent or nearly so for the voices' 16 to 24 kHz.
_BITRATES = {"mp3": 64_000, "opus": 32_000, "aac": 64_000}
NO_TAGS: Tags = {}
_MUXERS = {
    "mp3": ("mp3", "libmp3lame"),
    "opus": ("ogg", "libopus"),
    "flac": ("flac", "flac"),
    "aac": ("adts", "aac"),
}
# No random serial number (Ogg) and no version of the library in the file.
_WHOLE_OPTIONS = {"fflags": "bitexact"}
# Each packet is written at once. The muxer keeps an Ogg page until the next one is there, and a
# page is a second by default: a short sentence would wait for the next one.
_STREAM_OPTIONS = {**_WHOLE_OPTIONS, "flush_packets": "1", "page_duration": "100000"}

UNKNOWN_BYTES = 0xFFFFFFFF  # the sizes in the WAV header of a stream, as FFmpeg and OpenAI have it
_WAV_HEADER_BYTES = 44


class Encoder(Protocol):
    """One file of mono audio, made piece by piece. One thread at a time uses it."""

    def add(self, audio: Audio) -> bytes:
        """Add audio, and return the bytes of the file that are ready; there may be none."""

    def finish(self) -> bytes:
        """Return the rest of the file."""


def encoder(
    audio_format: AudioFormat, rate_hz: int, *, length: int | None = None, tags: Tags = NO_TAGS
) -> Encoder:
    """Return an encoder of what comes at ``rate_hz``.

    ``opus`` is Ogg/Opus at 48 kHz, ``aac`` is ADTS, ``wav`` 16-bit PCM, ``pcm`` the bare int16
    little-endian samples at ``PCM_RATE_HZ``. A rate that an encoder does not take is resampled to
    the next one that it does.

    Args:
        audio_format: of the file.
        rate_hz: of the file, too, where the format takes it; other pieces are resampled to it.
        length: samples in all. Without it the file can be sent while it is made, and does not tell
            its length: a WAV header says ``UNKNOWN_BYTES``, FLAC's 0 samples (unknown), and MP3
            lacks the frame by which a decoder leaves out the encoder's delay (0.05 s).
        tags: metadata of the file; bare samples have none.
    """
    if audio_format == "pcm":
        return _Samples(b"", rate_hz, PCM_RATE_HZ)
    if audio_format == "wav":
        return _Samples(_wav_header(rate_hz, length, wav_info(tags)), rate_hz, rate_hz)
    return _Coded(audio_format, rate_hz, tags, whole=length is not None)


def encode(audio: Audio, audio_format: AudioFormat, tags: Tags = NO_TAGS) -> bytes:
    """Return the audio as one file, see ``encoder``; the same audio gives the same bytes."""
    return finished(encode_steps(audio, audio_format, tags))


def encode_steps(audio: Audio, audio_format: AudioFormat, tags: Tags = NO_TAGS) -> Steps[bytes]:
    """Do what ``encode`` does, in steps of a second."""
    whole = encoder(audio_format, audio.sample_rate_hz, length=len(audio.samples), tags=tags)
    data = yield from add_steps(whole, audio)
    return data + whole.finish()


def add_steps(encoder: Encoder, audio: Audio) -> Steps[bytes]:
    """Do what ``encoder.add`` does, in steps of a second."""
    data, step = bytearray(), STEP_S * audio.sample_rate_hz
    for start in range(0, len(audio.samples), step):
        piece = Audio(audio.samples[start : start + step], audio.sample_rate_hz)
        data += encoder.add(piece)
        yield len(data)
    return bytes(data)


class _Samples:
    """Bare samples behind a header.

    One resampler takes all pieces. With one for each, every piece would begin and end in a click.
    """

    def __init__(self, header: bytes, rate_hz: int, rate_of_file_hz: int) -> None:
        self._header, self._rate_hz = header, rate_hz
        self._resampler: AudioResampler | None = None
        if rate_of_file_hz != rate_hz:
            self._resampler = AudioResampler(format="s16", layout="mono", rate=rate_of_file_hz)
        self._wanted = Fraction(0)  # samples of the file so far, with those not yet written
        self._a_sample, self._made = Fraction(rate_of_file_hz, rate_hz), 0

    def add(self, audio: Audio) -> bytes:
        samples = to_int16(resample(audio, self._rate_hz).samples)
        if self._resampler is None:
            return self._taken() + samples.astype("<i2", copy=False).tobytes()
        if not len(samples):
            return self._taken()
        self._wanted += len(samples) * self._a_sample
        return self._taken() + self._resampled(frame_of(samples, self._rate_hz))

    def finish(self) -> bytes:
        rest = self._resampled(None) if self._wanted else b""
        return self._taken() + rest

    def _resampled(self, frame: AudioFrame | None) -> bytes:
        """Resample a piece; None ends the file and trims it to the length that the rates imply."""
        assert self._resampler is not None
        if frame is not None:
            frame.pts = None
        frames = [made for made in self._resampler.resample(frame) if made is not None]
        samples = np.concatenate([np.zeros(0, np.int16), *(f.to_ndarray()[0] for f in frames)])
        left = round(self._wanted) - self._made
        if frame is None:
            samples = np.pad(samples, (0, max(0, left - len(samples))))
        samples = samples[:left]
        self._made += len(samples)
        return samples.astype("<i2", copy=False).tobytes()

    def _taken(self) -> bytes:
        header, self._header = self._header, b""
        return header


def _wav_header(rate_hz: int, length: int | None, info: bytes) -> bytes:
    """Return a WAV header for mono 16-bit PCM, with ``info`` before the samples."""
    data_bytes = riff_bytes = UNKNOWN_BYTES
    if length is not None:
        data_bytes = 2 * length
        riff_bytes = data_bytes + _WAV_HEADER_BYTES + len(info) - 8
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate_hz, 2 * rate_hz, 2, 16)
    riff = struct.pack("<4sI4s", b"RIFF", riff_bytes, b"WAVE")
    return riff + form + info + struct.pack("<4sI", b"data", data_bytes)


class _Pipe(io.BytesIO):
    """An output in which a muxer cannot go back."""

    def seekable(self) -> bool:
        return False


class _Coded:
    """A file of FFmpeg's encoders and muxers; a ``whole`` one is returned at the end."""

    def __init__(self, audio_format: AudioFormat, rate_hz: int, tags: Tags, *, whole: bool) -> None:
        muxer, codec = _MUXERS[audio_format]
        self._rate_hz, self._added = rate_hz, 0
        self._file = io.BytesIO() if whole else _Pipe()
        options = _WHOLE_OPTIONS if whole else _STREAM_OPTIONS
        if audio_format == "aac" and tags:  # ADTS has no metadata of its own
            options = {**options, "write_id3v2": "1"}
        self._container = av.open(self._file, "w", format=muxer, options=options)
        self._container.metadata.update(tags)
        rate_of_file_hz = encoder_rate_hz(codec, rate_hz)
        self._stream = self._container.add_stream(codec, rate=rate_of_file_hz, layout="mono")
        if audio_format in _BITRATES:
            self._stream.bit_rate = _BITRATES[audio_format]
        context = self._stream.codec_context
        context.open()
        self._resampler = AudioResampler(  # to the encoder's rate, sample format and frame size
            format=context.format,
            layout="mono",
            rate=rate_of_file_hz,
            frame_size=context.frame_size or None,
        )

    def add(self, audio: Audio) -> bytes:
        samples = to_int16(resample(audio, self._rate_hz).samples)
        if len(samples):
            frame = frame_of(samples, self._rate_hz)
            frame.pts, self._added = self._added, self._added + len(samples)
            self._mux(self._resampler.resample(frame))
        return b"" if self._file.seekable() else self._taken()

    def finish(self) -> bytes:
        left = self._resampler.resample(None) if self._added else []
        self._mux([*(frame for frame in left if frame is not None), None])
        self._container.close()
        return self._taken()

    def _mux(self, frames: Iterable[AudioFrame | None]) -> None:
        """Encode frames; None ends the stream."""
        for frame in frames:
            self._container.mux(self._stream.encode(frame))

    def _taken(self) -> bytes:
        data = self._file.getvalue()
        self._file.seek(0)
        self._file.truncate()
        return data


def encoder_rate_hz(codec: str, rate_hz: int) -> int:
    """Return the lowest rate of the encoder from ``rate_hz`` on, or its highest."""
    if codec == "libopus":
        return 48_000  # the rate that Opus files play at (RFC 7845)
    rates: list[int] = sorted(av.Codec(codec, "w").audio_rates or [rate_hz])
    return next((rate for rate in rates if rate >= rate_hz), rates[-1])
