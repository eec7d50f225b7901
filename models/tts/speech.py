"""Steps that TTS engines share: checks of an item, its spoken text, and samples to speech."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.audio.samples import to_int16
from models.errors import InvalidRequest, UnknownVoice
from models.tts.level import limited
from models.tts.normalisation import spoken
from models.tts.phonemes import clean
from models.tts.tempo import at_speed
from models.types import Audio, Speech, TtsItem

MIN_SPEED, MAX_SPEED = 0.25, 4.0  # the range of OpenAI's speech endpoint


def checked_text(item: TtsItem, voices: Mapping[str, str]) -> str:
    """Check an item's voice, speed and text, and return the text as it is spoken.

    It is empty if all of it was markup.

    Args:
        item: to speak.
        voices: id -> the language that it speaks.

    Raises:
        UnknownVoice: ``voices`` has none of that name; the message lists those there are.
        InvalidRequest: the speed is out of range, or the text is empty.
    """
    if item.voice not in voices:
        known = ", ".join(sorted(voices))
        raise UnknownVoice(
            f"there is no voice {item.voice[:80]!r}; there are {known}", param="voice"
        )
    if not MIN_SPEED <= item.speed <= MAX_SPEED:  # NaN is out of range, too
        message = f"speed must be {MIN_SPEED:g} to {MAX_SPEED:g}, not {item.speed:g}"
        raise InvalidRequest(message, param="speed")
    if not clean(item.text):
        raise InvalidRequest("the text is empty", param="text")
    return clean(spoken(item.text, voices[item.voice]))


def speech(
    pieces: Sequence[NDArray[np.float32]], sample_rate_hz: int, *, speed: float, gain: float
) -> Speech:
    """Join pieces [n] to 16-bit speech; without pieces it has 0 samples.

    Args:
        pieces: float32, full scale 1.0, as the voice speaks by itself.
        sample_rate_hz: of the pieces.
        speed: 2.0 halves the time; the pitch stays.
        gain: of the voice, see ``level.Gains``; samples that it lifts over the ceiling are limited.
    """
    samples = at_speed(joined(pieces), sample_rate_hz, speed) * np.float32(gain)
    return Speech(Audio(to_int16(limited(samples, sample_rate_hz)), sample_rate_hz))


def joined(pieces: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Join any number of pieces [n]."""
    return np.concatenate([np.zeros(0, np.float32), *pieces])
