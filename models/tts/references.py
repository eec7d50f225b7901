"""Checks the clips of voices to clone, whatever engine speaks in them."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from models.audio.samples import to_float32
from models.errors import InvalidRequest, TooLarge
from models.types import SAMPLE_RATE_HZ, Samples


def digest(samples: Samples) -> bytes:
    """Digest the content; a clip in int16 and the same in float32 are two."""
    content = np.ascontiguousarray(samples)
    return hashlib.sha256(content.dtype.str.encode() + content.tobytes()).digest()


def checked_clip(samples: Samples, max_s: float) -> NDArray[np.float32]:
    """Return a clip at 16 kHz [n] in float32.

    Raises:
        TooLarge, InvalidRequest: it is too long, silent, or holds no numbers; ``param`` is "voice".
    """
    if len(samples) > max_s * SAMPLE_RATE_HZ:
        raise TooLarge(
            f"the voice to speak in has {len(samples) / SAMPLE_RATE_HZ:.3g} s; "
            f"at most {max_s:g} s are taken",
            param="voice",
        )
    clip = to_float32(samples)
    if not np.isfinite(clip).all():
        raise InvalidRequest("the voice holds values that are no numbers", param="voice")
    if len(clip) and not clip.any():
        raise InvalidRequest("the voice to speak in is silent", param="voice")
    return clip
