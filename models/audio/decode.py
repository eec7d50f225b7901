"""Decodes uploaded audio, resamples it and joins it.

All codecs come from PyAV (FFmpeg's libraries); no program is started and no file is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from models.audio import formats, mpeg
from models.audio.damage import Damage
from models.audio.ffmpeg import TAKEN, Decoder, Undecodable
from models.audio.ffmpeg_input import source, why_undecodable
from models.audio.formats import Kind, Part
from models.audio.resample import (
    MAX_CHANNELS,
    MAX_RATE_HZ,
    MIN_RATE_HZ,
    Resampler,
    bad_channels,
    bad_rate,
    too_long,
)
from models.audio.samples import to_int16
from models.audio.steps import Steps, finished
from models.errors import DragomanError, InvalidRequest, NotAudio
from models.types import SAMPLE_RATE_HZ, Audio

STEP_S = 1  # audio that one step resamples


def decode(data: bytes, *, max_duration_s: float) -> Audio:
    """Decode an audio file of any common kind to mono int16 at 16 kHz.

    Taken: WAV, W64, AIFF, AU and CAF (8 to 64 bit, float, mu-law, A-law), FLAC, MP3, AAC, AMR, Ogg
    (Vorbis, Opus, FLAC, Speex), WebM and Matroska, MP4, M4A and MOV (AAC, ALAC, Opus). Channels are
    mixed (see ``models.audio.mixing``), floats beyond full scale are clipped, video tracks are
    skipped. Decoding stops as soon as the limit is passed, so memory is bounded by
    ``max_duration_s`` whatever the file unpacks to.

    Files of one kind that are joined are decoded one after the other. A file that ends early or is
    damaged is decoded as far as possible, and ``Audio.warnings`` name what could not be decoded
    (``models.audio.damage``). Damage is detected where a container shows it
    (``models.audio.formats``), where decoding does not reach the stated length, and where data
    fails a checksum or cannot be parsed. Not detected: damage inside PCM samples, damage that still
    parses, and cuts between frames of streams without a length.

    Raises:
        InvalidRequest: there are no bytes or no samples, nothing can be decoded, its rate or
            channels are out of range, or a float sample is not finite.
        NotAudio: no known container, no sound track, or a codec that is not taken.
        TooLarge: longer than ``max_duration_s``.
    """
    return finished(decode_steps(data, max_duration_s=max_duration_s))


def decode_steps(
    data: bytes, *, max_duration_s: float, rate_hz: int = SAMPLE_RATE_HZ
) -> Steps[Audio]:
    """Do what ``decode`` does, at any rate, in steps of one packet of the file."""
    if not data:
        raise InvalidRequest("The file is empty.", param="file")
    recognised = formats.recognise(data)
    if recognised is None:
        raise NotAudio(f"The file is no audio in a known format. {TAKEN}", param="file")
    kind, start = recognised
    parts = formats.parts(data, kind, start)
    resampled = Resampler(rate_hz, max_duration_s)
    decoder, damage = Decoder(resampled), Damage(kind.name, len(parts))
    stray_bytes = mpeg.stray_bytes(data, start)
    if stray_bytes:
        damage.begins_late(stray_bytes)
    errors: list[DragomanError] = []
    for number, part in enumerate(parts[: formats.MAX_PARTS], 1):
        try:
            yield from _decode_part(decoder, data, kind, part, damage, number)
        except _NothingDecoded as nothing:
            message = f"The {kind.name} file is damaged: {nothing}."
            errors.append(InvalidRequest(message, param="file"))
        except NotAudio as error:
            errors.append(error)
        else:
            continue
        damage.lost(number, errors[-1].message)
    samples = resampled.finish()
    if not len(samples):
        raise errors[0] if errors else InvalidRequest("The file holds no samples.", param="file")
    if len(parts) > formats.MAX_PARTS:
        damage.skipped(formats.MAX_PARTS)
    return Audio(samples, rate_hz, damage.warnings())


def pcm16(data: bytes, rate_hz: int, channels: int = 1, *, max_duration_s: float) -> Audio:
    """Convert raw int16 little-endian PCM, channels interleaved, to mono int16 at 16 kHz.

    Raises:
        InvalidRequest: no bytes, half a sample, or a rate or channels out of range.
        TooLarge: longer than ``max_duration_s``.
    """
    return finished(pcm16_steps(data, rate_hz, channels, max_duration_s=max_duration_s))


def check_pcm16(size_bytes: int, rate_hz: int, channels: int, max_duration_s: float) -> None:
    """Refuse what ``pcm16`` would refuse, by its size alone."""
    if not size_bytes:
        raise InvalidRequest("The audio is empty.", param="file")
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise bad_rate(rate_hz)
    if not 1 <= channels <= MAX_CHANNELS:
        raise bad_channels(channels)
    if size_bytes % (2 * channels):
        each = "an even number of bytes" if channels == 1 else f"{2 * channels} bytes a sample"
        raise InvalidRequest(f"16-bit PCM of {channels} channels has {each}.", param="file")
    if size_bytes // (2 * channels) > max_duration_s * rate_hz:
        raise too_long(max_duration_s)


def pcm16_steps(
    data: bytes, rate_hz: int, channels: int = 1, *, max_duration_s: float
) -> Steps[Audio]:
    """Do what ``pcm16`` does, in steps of a second."""
    check_pcm16(len(data), rate_hz, channels, max_duration_s)
    if channels == 1:
        samples = np.frombuffer(data, "<i2").astype(np.int16)  # a copy: buffers are read-only
        return (yield from resample_steps(Audio(samples, rate_hz), SAMPLE_RATE_HZ))
    resampler = Resampler(SAMPLE_RATE_HZ)
    piece_bytes = STEP_S * rate_hz * channels * 2
    for start in range(0, len(data), piece_bytes):
        values = np.frombuffer(data[start : start + piece_bytes], "<i2").astype(np.int16)
        resampler.add(frame_of(values, rate_hz, channels))
        yield resampler.gathered_bytes
    return Audio(resampler.finish())


def resample(audio: Audio, rate_hz: int) -> Audio:
    """Return the same sound as int16 at ``rate_hz``; audio of that rate is not resampled."""
    return finished(resample_steps(audio, rate_hz))


def resample_steps(audio: Audio, rate_hz: int) -> Steps[Audio]:
    """Do what ``resample`` does, in steps of a second."""
    samples = to_int16(audio.samples)
    if audio.sample_rate_hz != rate_hz and len(samples):
        resampler, step = Resampler(rate_hz), STEP_S * audio.sample_rate_hz
        for start in range(0, len(samples), step):
            resampler.add(frame_of(samples[start : start + step], audio.sample_rate_hz))
            yield resampler.gathered_bytes
        samples = resampler.finish()
    return replace(audio, samples=samples, sample_rate_hz=rate_hz)


def concatenate(parts: Sequence[Audio], gap_s: float = 0.0) -> Audio:
    """Join ``parts`` with ``gap_s`` of silence between them, at the rate of the first.

    Raises:
        ValueError: there are no parts.
    """
    if not parts:
        raise ValueError("nothing to concatenate")
    first, *others = parts
    pieces = [first, *(after_silence(other, gap_s) for other in others)]
    rate_hz = first.sample_rate_hz
    samples = [to_int16(resample(piece, rate_hz).samples) for piece in pieces]
    warnings = tuple(warning for part in parts for warning in part.warnings)
    return Audio(np.concatenate(samples), rate_hz, warnings)


def after_silence(audio: Audio, silence_s: float) -> Audio:
    """Return the same sound, as int16, with silence before it."""
    silence = np.zeros(round(silence_s * audio.sample_rate_hz), np.int16)
    return replace(audio, samples=np.concatenate([silence, to_int16(audio.samples)]))


class _NothingDecoded(Exception):
    """Nothing of a file could be decoded; other files that are joined to it may be whole."""


def _decode_part(
    decoder: Decoder, data: bytes, kind: Kind, part: Part, damage: Damage, number: int
) -> Steps[None]:
    """Decode one file of an upload."""
    found = source(data, kind, part)
    if found is None:
        raise _NothingDecoded("it ends before its samples, or has no format")
    try:
        outcome = yield from decoder.decode(
            found.file, kind.demuxer, states_length=found.states_length
        )
    except Undecodable as error:
        raise _NothingDecoded(why_undecodable(data, kind, part)) from error
    outcome.stated_s = max(outcome.stated_s, outcome.decoded_s / found.share)
    if outcome.decoded_s:
        damage.judge(number, outcome, found.ending)
    elif outcome.failed or outcome.is_short or found.ending == "cut":
        raise _NothingDecoded(why_undecodable(data, kind, part))


def frame_of(samples: NDArray[np.int16], rate_hz: int, channels: int = 1) -> AudioFrame:
    """Wrap int16 samples [n], channels interleaved, in FFmpeg's frame."""
    layout = {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")
    frame = AudioFrame.from_ndarray(samples[None], format="s16", layout=layout)
    frame.sample_rate = rate_hz
    return frame
