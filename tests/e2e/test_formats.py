"""Files of each container and codec through a real server: the same words are heard in each.

The tests of decoding have every kind of file; here is one of those that differ by codec or by how
their pieces lie in the file.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from dragoman_client import Client, Transcription
from models.audio.decode import resample
from models.audio.samples import to_float32
from models.types import Audio
from tests.support.audio_files import AMR, FILES
from tests.support.speech import alike, clip

CLIP = "en-agent-newlocation"
CALLERS = 8
# Of the words, in the same order. AMR and GSM model a voice at 8 kHz, and a word may change.
ALIKE, ALIKE_AT_8_KHZ = 0.85, 0.6
TELEPHONE = {*AMR, "wav-gsm", "wav-ima-adpcm"}
SENT = [
    *("wav", "wav-float", "wav-gsm", "wav-ima-adpcm", "wav-5.1", "wav-rf64", "wav-mu-law"),
    *("aiff", "caf-alac", "au", "flac", "mp3", "mp3-without-xing", "ogg-vorbis", "ogg-opus"),
    *("m4a", "mp4-fragmented", "mov-with-video", "3gp", "aac-adts", "webm-live", "matroska-flac"),
    "amr",
]


@cache
def speech(rate_hz: int) -> NDArray[np.float32]:
    """Return the clip at a rate: float32 [n]."""
    samples = resample(Audio(clip(CLIP).samples()), rate_hz).samples
    return to_float32(samples)


@pytest.fixture(scope="module")
def heard(client: Client) -> Iterator[Mapping[str, Future[Transcription]]]:
    """Send the files, several at a time, so that they share batches."""

    def transcribe(name: str) -> Transcription:
        return client.transcribe(io.BytesIO(FILES[name](speech)), language="en")

    with ThreadPoolExecutor(CALLERS) as callers:
        yield {name: callers.submit(transcribe, name) for name in SENT}


@pytest.mark.parametrize("name", SENT)
def test_the_words_are_heard(heard: Mapping[str, Future[Transcription]], name: str) -> None:
    least = ALIKE_AT_8_KHZ if name in TELEPHONE else ALIKE
    assert alike(heard[name].result().text, clip(CLIP).text) >= least
