"""Audio at the door: decode what was uploaded, resample it and join it.

All codecs come from PyAV (FFmpeg's libraries); no program is started and no file is opened.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from models import containers
from models.errors import DragomanError, InvalidRequest, NotAudio
from models.resampling import MAX_RATE_HZ, MIN_RATE_HZ, Resampler, bad_rate, too_long
from models.samples import to_int16
from models.steps import Steps, finished
from models.types import SAMPLE_RATE_HZ, Audio

# An upload may be anything, so FFmpeg may only be what is needed: these demuxers (none that
# opens further files or addresses, as playlists do), these decoders, and no protocol at all.
_DEMUXERS = "wav,flac,mp3,ogg,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,aac,aiff,au,amr"
_DECODERS = (
    *(f"pcm_{kind}" for kind in ("u8", "s8", "mulaw", "alaw")),
    *(f"pcm_{kind}{end}" for kind in ("s16", "s24", "s32", "f32", "f64") for end in ("le", "be")),
    *(
        "adpcm_ms",
        "adpcm_ima_wav",
        "adpcm_ima_qt",
        "gsm",
        "gsm_ms",
        "alac",
        "flac",
        "vorbis",
        "opus",
        "libopus",
    ),
    *("mp3", "mp3float", "mp2", "mp2float", "aac", "amrnb", "amrwb"),
    *("libopencore_amrnb", "libopencore_amrwb"),
)
_OPEN_OPTIONS = {
    "format_whitelist": _DEMUXERS,
    "codec_whitelist": ",".join(_DECODERS),
    "protocol_whitelist": "",
    "max_probe_packets": "1",  # do not search WAV for hidden DTS: 3 ms of every request
    "max_size": "16384",  # bytes of a WAV packet: 4 times fewer packets than by default
}
# FFmpeg hides damage unless it is told to stop at it.
_DECODER_OPTIONS = {"err_detect": "crccheck+bitstream+buffer+explode"}

# WAV does not say which channel is which; of one or two there is no doubt.
_PLAIN_LAYOUTS = {"1 channels": "mono", "2 channels": "stereo"}

# Demuxers whose duration is stated in the file, in samples: what was decoded must reach it.
# (MP3 and AAC durations are guesses from the bit rate.)
_EXACT_DURATION = ("flac", "ogg", "aiff", "au")
_DURATION_SLACK_S = 0.05

STEP_S = 1  # of audio that a step resamples


def decode(data: bytes, *, max_duration_s: float) -> Audio:
    """Decode an audio file of any common kind to mono int16 at 16 kHz.

    Taken: WAV, AIFF and AU (8 to 64 bit, float, mu-law, A-law), FLAC, MP3, Ogg (Vorbis,
    Opus, FLAC), WebM and Matroska, MP4 and M4A (AAC, ALAC, Opus), ADTS AAC, AMR. Channels are
    averaged (surround by FFmpeg's down-mix), floats beyond full scale are clipped, video
    tracks are skipped. Decoding stops as soon as the limit is passed, so memory is bounded
    by ``max_duration_s`` whatever the file unpacks to.

    A file that ends early is refused rather than read in half. Seen is what the containers
    show (``models.containers``), a length in the header that decoding does not reach (FLAC,
    Ogg, AIFF, AU), and what fails a checksum or cannot be parsed. Not seen: damage inside PCM
    samples, damage that still parses, and cuts between frames of streams without a length.

    Raises:
        InvalidRequest: there are no bytes or no samples, the file ends early or is damaged,
            its rate or channels are out of range, or a float sample is not finite.
        NotAudio: no known container, no sound track, or a codec that is not taken.
        TooLarge: longer than ``max_duration_s``.
    """
    return finished(decode_steps(data, max_duration_s=max_duration_s))


def decode_steps(data: bytes, *, max_duration_s: float) -> Steps[Audio]:
    """Do what ``decode`` does, in steps of one packet of the file."""
    if not data:
        raise InvalidRequest("The file is empty.", param="file")
    name = containers.recognise(data)
    missing = containers.what_is_missing(data)
    if missing:
        raise _damaged(name, f"it ends early: {missing}")
    resampled = Resampler(SAMPLE_RATE_HZ, max_duration_s)
    try:
        with av.open(io.BytesIO(data), options=_OPEN_OPTIONS) as container:
            yield from _decode_into(resampled, container, name or container.format.name)
        samples = resampled.finish()
    except DragomanError:
        raise
    except (av.FFmpegError, ValueError) as error:  # PyAV raises both for what it cannot read
        if name is None:
            raise NotAudio("The file is no audio in a known format.", param="file") from error
        raise _damaged(name, "it cannot be decoded") from error
    if not len(samples):
        raise InvalidRequest("The file holds no samples.", param="file")
    return Audio(samples)


def pcm16(data: bytes, rate_hz: int, *, max_duration_s: float) -> Audio:
    """Raw mono PCM, int16 little-endian at ``rate_hz``, as int16 at 16 kHz.

    Raises:
        InvalidRequest: no bytes, half a sample, or a rate out of range.
        TooLarge: longer than ``max_duration_s``.
    """
    return finished(pcm16_steps(data, rate_hz, max_duration_s=max_duration_s))


def pcm16_steps(data: bytes, rate_hz: int, *, max_duration_s: float) -> Steps[Audio]:
    """Do what ``pcm16`` does, in steps of a second."""
    if not data:
        raise InvalidRequest("The audio is empty.", param="file")
    if len(data) % 2:
        raise InvalidRequest("16-bit PCM has an even number of bytes.", param="file")
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise bad_rate(rate_hz)
    if len(data) // 2 > max_duration_s * rate_hz:
        raise too_long(max_duration_s)
    samples = np.frombuffer(data, "<i2").astype(np.int16)  # a copy, as buffers are read-only
    return (yield from resample_steps(Audio(samples, rate_hz), SAMPLE_RATE_HZ))


def resample(audio: Audio, rate_hz: int) -> Audio:
    """The same sound as int16 at ``rate_hz`` (itself, where it is that already)."""
    return finished(resample_steps(audio, rate_hz))


def resample_steps(audio: Audio, rate_hz: int) -> Steps[Audio]:
    """Do what ``resample`` does, in steps of a second."""
    samples = to_int16(audio.samples)
    if audio.sample_rate_hz == rate_hz or not len(samples):
        return Audio(samples, rate_hz)
    resampler, step = Resampler(rate_hz), STEP_S * audio.sample_rate_hz
    for start in range(0, len(samples), step):
        resampler.add(frame_of(samples[start : start + step], audio.sample_rate_hz))
        yield resampler.gathered_bytes
    return Audio(resampler.finish(), rate_hz)


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
    return Audio(np.concatenate(samples), rate_hz)


def after_silence(audio: Audio, silence_s: float) -> Audio:
    """The same sound, as int16, with silence before it."""
    silence = np.zeros(round(silence_s * audio.sample_rate_hz), np.int16)
    return Audio(np.concatenate([silence, to_int16(audio.samples)]), audio.sample_rate_hz)


def _decode_into(resampled: Resampler, container: InputContainer, name: str) -> Steps[None]:
    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream):
        raise NotAudio("The file has no sound track.", param="file")
    decoder = stream.codec_context
    if decoder is None or decoder.codec.name not in _DECODERS:
        raise NotAudio("The sound track is in a codec that is not taken.", param="file")
    decoder.options = _DECODER_OPTIONS
    if decoder.layout.name in _PLAIN_LAYOUTS:
        decoder.layout = _PLAIN_LAYOUTS[decoder.layout.name]
    demuxer, decoded_s = container.format.name, 0.0
    for packet in container.demux(stream):
        # FFmpeg marks a packet that is shorter than its header says; the last of a WAV file of
        # unknown length always is, and its length was checked before.
        if packet.is_corrupt and demuxer != "wav":
            raise _damaged(name, f"it ends early, after {decoded_s:.2f} s")
        for frame in stream.decode(packet):
            resampled.add(frame)
            decoded_s += frame.samples / frame.sample_rate
        yield resampled.gathered_bytes
    if demuxer in _EXACT_DURATION and stream.duration and stream.time_base and decoded_s:
        stated_s = float(stream.duration * stream.time_base)
        if decoded_s + _DURATION_SLACK_S < stated_s:
            raise _damaged(name, f"{decoded_s:.2f} s of {stated_s:.2f} s can be decoded")


def frame_of(samples: NDArray[np.int16], rate_hz: int) -> AudioFrame:
    """int16 [n] as FFmpeg's frame."""
    frame = AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate = rate_hz
    return frame


def _damaged(name: str | None, why: str) -> InvalidRequest:
    return InvalidRequest(f"The {name or 'audio'} file is damaged: {why}.", param="file")
