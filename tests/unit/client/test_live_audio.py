"""What a live session is fed with: files, stdin, iterators, microphones, and their pace."""

from __future__ import annotations

import io
import sys
import wave
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dragoman_client import MissingPackage, NotAudio, microphone
from dragoman_client.live_audio import Loudspeaker, pieces_of
from dragoman_client.live_feeders import Pace
from dragoman_client.live_protocol import frames_of
from tests.support.speech import clip

PCM = np.arange(24_000, dtype="<i2").tobytes()


def wav(path: Path, pcm: bytes, rate_hz: int = 24_000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(pcm)
    return path


def test_a_wav_as_the_protocol_has_it_is_sent_as_it_is(tmp_path: Path) -> None:
    assert b"".join(pieces_of(wav(tmp_path / "a.wav", PCM))) == PCM


def test_such_a_wav_needs_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert b"".join(pieces_of(wav(tmp_path / "a.wav", PCM))) == PCM


@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(8_000, 1), (44_100, 1), (48_000, 2)], ids=["8k", "44k", "stereo"]
)
def test_other_sounds_are_resampled_to_24_khz_mono(
    tmp_path: Path, rate_hz: int, channels: int
) -> None:
    times_s = np.arange(rate_hz) / rate_hz
    tone = (8000 * np.sin(2 * np.pi * 440 * times_s)).astype("<i2")
    path = wav(tmp_path / "a.wav", np.repeat(tone, channels).tobytes(), rate_hz, channels)
    heard = np.frombuffer(b"".join(pieces_of(path)), "<i2")
    loudest_hz = np.argmax(np.abs(np.fft.rfft(heard))) * 24_000 / len(heard)
    assert len(heard) == pytest.approx(24_000, abs=24)
    assert loudest_hz == pytest.approx(440, abs=2)


def test_a_compressed_file_is_decoded() -> None:
    speech = clip("en-agent-user")
    pieces = list(pieces_of(speech.path))
    assert sum(map(len, pieces)) / 48_000 == pytest.approx(speech.duration_s, abs=0.02)
    assert len(pieces) > 1


def test_without_pyav_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingPackage, match=r"needs av: pip install 'dragoman-client\[live\]'"):
        list(pieces_of(clip("en-agent-user").path))


def test_what_is_no_audio_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a sound " * 100)
    with pytest.raises(NotAudio, match=r"notes\.txt"):
        list(pieces_of(path))


@pytest.mark.parametrize(
    "audio",
    [PCM, bytearray(PCM), io.BytesIO(PCM), [PCM[:7], PCM[7:]], iter([PCM])],
    ids=["bytes", "bytearray", "file", "list", "iterator"],
)
def test_pcm_comes_in_many_forms(audio: Any) -> None:
    assert b"".join(pieces_of(audio)) == PCM


def test_a_number_is_no_audio() -> None:
    with pytest.raises(TypeError, match="audio must be a path"):
        pieces_of(7)  # type: ignore[arg-type]


def test_pieces_of_any_length_make_whole_frames() -> None:
    rest, frames = bytearray(), []
    for at in range(0, len(PCM), 1001):
        frames += frames_of(rest, PCM[at : at + 1001])
    assert {len(frame) for frame in frames} == {9600}
    assert b"".join(frames) + rest == PCM


def test_audio_goes_no_faster_than_it_was_spoken() -> None:
    now_s = 10.0
    pace = Pace(lambda: now_s)
    assert pace.wait_s(bytes(9600)) == pytest.approx(0.2)
    now_s = 10.1
    assert pace.wait_s(bytes(9600)) == pytest.approx(0.3)
    now_s = 12.0
    assert pace.wait_s(bytes(9600)) == 0  # late: the next goes at once


# ---- microphones and loudspeakers -------------------------------------------------------


@pytest.mark.parametrize("ask", [microphone, Loudspeaker])
def test_without_sounddevice_the_error_says_what_to_install(
    ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingPackage, match=r"sounddevice and PortAudio .*client\[mic\]"):
        ask()


class NoDevice(Exception):
    """Stands for PortAudioError."""


def no_stream(**options: Any) -> None:
    raise NoDevice("no default device")


@pytest.mark.parametrize("ask", [lambda: next(microphone()), Loudspeaker], ids=["in", "out"])
def test_a_machine_without_the_device_says_so(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(
        PortAudioError=NoDevice, RawInputStream=no_stream, RawOutputStream=no_stream
    )
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    with pytest.raises(OSError, match="no default device"):
        ask()
