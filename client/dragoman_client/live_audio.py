"""Read the audio of a live session: a sound file, a microphone, stdin, or an iterator of PCM."""

from __future__ import annotations

import os
import wave
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .errors import MissingPackage, NotAudio
from .live_types import FRAME_BYTES, RATE_HZ, BlockingAudio


def pieces_of(audio: BlockingAudio) -> Iterator[bytes]:
    """Yield PCM of 16 bits, one channel, 24 kHz, in pieces of any length.

    Raises:
        OSError: a file cannot be read.
        NotAudio: it has no audio that can be decoded.
        MissingPackage: it is no such WAV, and PyAV is not installed.
        TypeError: it is none of these.
    """
    if isinstance(audio, (str, os.PathLike)):
        return file_pieces(Path(audio))
    if isinstance(audio, (bytes, bytearray, memoryview)):
        return iter([bytes(audio)])
    if hasattr(audio, "read"):
        read = getattr(audio, "read1", audio.read)  # what is there, without waiting for more
        return iter(lambda: read(FRAME_BYTES), b"")
    if isinstance(audio, Iterable):
        return iter(audio)
    raise TypeError("audio must be a path, bytes, a file opened in binary mode, or an iterator")


def file_pieces(path: Path) -> Iterator[bytes]:
    """Decode a sound file piece by piece. Raise OSError, NotAudio or MissingPackage."""
    if _is_wav_as_needed(path):
        with wave.open(str(path), "rb") as file:
            yield from iter(lambda: file.readframes(FRAME_BYTES // 2), b"")
        return
    try:
        import av
    except ImportError:
        what = f"{path.name}, which is no WAV of 16 bits, one channel and {RATE_HZ} Hz,"
        raise MissingPackage(what, "av", "live") from None
    yield from _decoded(path, av)


def _is_wav_as_needed(path: Path) -> bool:
    try:
        with wave.open(str(path), "rb") as file:
            shape = (file.getsampwidth(), file.getnchannels(), file.getframerate())
            return shape == (2, 1, RATE_HZ)
    except (wave.Error, EOFError):
        return False


def _decoded(path: Path, av: Any) -> Iterator[bytes]:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise NotAudio(f"no audio in {path.name}", param="audio")
            for frame in container.decode(audio=0):
                for made in resampler.resample(frame):
                    yield _bytes_of(made)
            for made in resampler.resample(None):
                yield _bytes_of(made)
    except av.FFmpegError as error:
        if isinstance(error, OSError) and error.errno and not isinstance(error, ValueError):
            raise
        raise NotAudio(f"{path.name} cannot be decoded: {error.strerror}", param="audio") from error


def _bytes_of(frame: Any) -> bytes:
    return bytes(frame.planes[0])[: 2 * frame.samples]  # without the padding behind it


def microphone(device: str | int | None = None) -> Iterator[bytes]:
    """Yield what a microphone hears, 200 ms a piece; the system's own, or one by name or number.

    >>> with client.live("pt", dragoman_client.microphone()) as session: ...

    Raises:
        MissingPackage: sounddevice is not installed, or PortAudio is not.
        OSError: there is no such microphone.
    """
    return _recorded(sound_device(), device)


def _recorded(sounds: Any, device: str | int | None) -> Iterator[bytes]:
    samples = FRAME_BYTES // 2
    try:
        stream = sounds.RawInputStream(
            samplerate=RATE_HZ, channels=1, dtype="int16", blocksize=samples, device=device
        )
    except (ValueError, sounds.PortAudioError) as error:
        raise OSError(f"no microphone: {error}") from error
    with stream:
        while True:
            heard, _ = stream.read(samples)
            yield bytes(heard)


class Loudspeaker:
    """Plays PCM of 16 bits, one channel; a context manager. Raise as :func:`microphone` does."""

    def __init__(self, rate_hz: int = RATE_HZ) -> None:
        sounds = sound_device()
        try:
            self._stream = sounds.RawOutputStream(samplerate=rate_hz, channels=1, dtype="int16")
        except (ValueError, sounds.PortAudioError) as error:
            raise OSError(f"no loudspeaker: {error}") from error
        self._stream.start()

    def play(self, pcm: bytes) -> None:
        """Play it after what is being played; return once it is taken."""
        self._stream.write(pcm)

    def close(self) -> None:
        """Play to the end, and close."""
        self._stream.stop()
        self._stream.close()


def sound_device() -> Any:
    """Return the module of microphones and loudspeakers."""
    try:
        import sounddevice
    except (ImportError, OSError):  # OSError: the system has no PortAudio
        raise MissingPackage(
            "a microphone or loudspeaker", "sounddevice", "mic", "and PortAudio (libportaudio2)"
        ) from None
    return sounddevice
