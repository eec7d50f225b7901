"""Files of every kind through a real server: the same words are heard in each."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from dragoman_client import Client
from models.audio.decode import resample
from models.audio.samples import to_float32
from models.types import Audio
from tests.support.audio_files import AMR, FILES
from tests.support.speech import alike, clip

CLIP = "en-agent-newlocation"
# Of the words, in the same order. AMR and GSM model a voice at 8 kHz, and a word may change.
ALIKE, ALIKE_AT_8_KHZ = 0.85, 0.6
TELEPHONE = {*AMR, "wav-gsm", "wav-ima-adpcm"}


@cache
def speech(rate_hz: int) -> NDArray[np.float32]:
    """Return the clip at a rate: float32 [n]."""
    samples = resample(Audio(clip(CLIP).samples()), rate_hz).samples
    return to_float32(samples)


@pytest.mark.parametrize("name", FILES)
def test_the_words_are_heard(client: Client, name: str) -> None:
    heard = client.transcribe(io.BytesIO(FILES[name](speech)), language="en")
    least = ALIKE_AT_8_KHZ if name in TELEPHONE or "8-khz" in name else ALIKE
    assert alike(heard.text, clip(CLIP).text) >= least
