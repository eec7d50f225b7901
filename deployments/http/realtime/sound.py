"""Audio of realtime events: base64 in, base64 out, G.711 among it."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.audio.decode import resample
from models.errors import InvalidRequest
from models.types import Audio

RATE_HZ = 24_000  # of PCM, in both directions
G711_RATE_HZ = 8_000
STEP_CHARS = 1 << 20  # of base64 that are decoded before others have their turn: whole groups
PIECE_S = 1.0  # of audio in one event that is sent

Encoding: TypeAlias = Literal["audio/pcm", "audio/pcmu", "audio/pcma"]


def _mu_law() -> NDArray[np.int16]:
    """Return the int16 of each byte of G.711 mu-law."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    magnitude = ((mantissa << 3) + 132 << exponent) - 132
    return np.where(code & 128, -magnitude, magnitude).astype(np.int16)


def _a_law() -> NDArray[np.int16]:
    """Return the int16 of each byte of G.711 A-law."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    scaled = (mantissa << 4) + np.where(exponent, 264, 8)
    magnitude = scaled << np.maximum(exponent - 1, 0)
    return np.where(code & 128, magnitude, -magnitude).astype(np.int16)


TABLES = {"audio/pcmu": _mu_law(), "audio/pcma": _a_law()}


async def samples_of(audio: Any, encoding: Encoding = "audio/pcm") -> NDArray[np.int16]:
    """Decode the field ``audio`` of an event to int16 [n], a step at a time.

    Raises:
        InvalidRequest: it is no base64, or not of whole samples.
    """
    if not isinstance(audio, str):
        raise InvalidRequest("audio must be a string of base64", param="audio")
    data = bytearray()
    try:
        for start in range(0, len(audio), STEP_CHARS):
            if start:
                await asyncio.sleep(0)
            if audio[start - 1 : start] == "=":
                raise ValueError("Excess data after padding")
            data += binascii.a2b_base64(audio[start : start + STEP_CHARS], strict_mode=True)
    except ValueError as error:
        raise InvalidRequest(f"audio must be base64: {error}", param="audio") from error
    if encoding != "audio/pcm":
        return TABLES[encoding][np.frombuffer(data, np.uint8)]
    if len(data) % 2:
        message = f"audio must be 16-bit samples, and {len(data)} bytes are no whole number of them"
        raise InvalidRequest(message, param="audio")
    return np.frombuffer(data, "<i2")


def rate_of(encoding: Encoding) -> int:
    """Return the sample rate of what a client sends."""
    return RATE_HZ if encoding == "audio/pcm" else G711_RATE_HZ


def pieces_of(audio: Audio) -> list[str]:
    """Encode speech as base64 of PCM16 at 24 kHz, in pieces of a second."""
    samples = resample(audio, RATE_HZ).samples.astype("<i2", copy=False)
    step = round(PIECE_S * RATE_HZ)
    starts = range(0, len(samples), step)
    return [base64.b64encode(samples[s : s + step].tobytes()).decode() for s in starts]
