"""What the TTS engines share: the checks of an item, and samples to speech."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from models.errors import InvalidRequest, UnknownVoice
from models.samples import to_int16
from models.tts.phonemes import clean
from models.types import Audio, Speech, TtsItem

MIN_SPEED, MAX_SPEED = 0.25, 4.0  # the range of OpenAI's speech endpoint


def checked_text(item: TtsItem, voices: Collection[str]) -> str:
    """The text to speak, once voice, speed and text are known to be good.

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
    text = clean(item.text)
    if not text:
        raise InvalidRequest("the text is empty", param="text")
    return text


def speech(pieces: Sequence[NDArray[np.float32]], sample_rate_hz: int) -> Speech:
    """Pieces [n], one after another, as 16-bit speech; 0 samples where there are none.

    They are float32 of full scale 1.0; what is over it is clipped.

    The level is the voice's own. Scaling each sentence to full scale by its peak, as the
    piper program does, would make a quiet sentence as loud as a shouted one beside it.
    """

    samples = np.concatenate([np.zeros(0, np.float32), *pieces])
    return Speech(Audio(to_int16(samples), sample_rate_hz))
