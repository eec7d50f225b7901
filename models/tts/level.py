"""Gives all voices one loudness: a gain a voice, measured once, and no sample over the ceiling.

The gain belongs to the voice and not to the sentence. So a sentence spoken softly stays softer than
its neighbours, a short "No." is not lifted, and the level does not jump where sentences are joined.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.tts.filters import filtered

# In EBU R128's unit. It lies between -19, the usual target for mono speech, and the loudness of
# speech whose peaks reach full scale. The limiter then changes only few samples.
TARGET_LUFS = -20.0
CEILING_DBFS = -1.5  # half a dB below -1, as resampling and lossy codecs raise peaks
MAX_GAIN_DB = 24.0  # a sound that needs more is no speech
SILENCE_LUFS = -70.0  # the meter's figure for silence, and for less than its block of 0.4 s

# A text that every engine speaks in every language, as loud as prose.
CALIBRATION_TEXT = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10."
KEPT_GAINS = 4096  # bounded, as cloned voices change

_LIMITER = f"limit={10 ** (CEILING_DBFS / 20):.6f}:attack=5:release=50:level=0:latency=1"  # in ms

VoiceT = TypeVar("VoiceT", bound=Hashable)


class Gains:
    """The gain of each voice, measured from ``CALIBRATION_TEXT`` in it."""

    def __init__(self, target_lufs: float | None) -> None:
        """Set the target; ``target_lufs`` None keeps every voice as loud as it is."""
        self._target_lufs = target_lufs
        self._known: dict[Hashable, float] = {}  # the latest used last

    def of(
        self,
        voices: Iterable[VoiceT],
        speak: Callable[[list[VoiceT]], list[NDArray[np.float32]]],
        rate_hz: int,
    ) -> Mapping[VoiceT, float]:
        """Return the factor of each voice; ``speak`` speaks the text in the new ones, in order.

        ``speak`` returns float32 [n] at ``rate_hz`` for each, without noise that changes the level.
        """
        asked = list(dict.fromkeys(voices))
        if self._target_lufs is None:
            return dict.fromkeys(asked, 1.0)
        new = [voice for voice in asked if voice not in self._known]
        measured = zip(new, speak(new) if new else [], strict=True)
        fresh = {voice: gain(samples, rate_hz, self._target_lufs) for voice, samples in measured}
        gains = {v: fresh[v] if v in fresh else self._known.pop(v) for v in asked}
        for voice, factor in gains.items():
            self._known[voice] = factor
        while len(self._known) > KEPT_GAINS:
            del self._known[next(iter(self._known))]
        return gains


def gain(samples: NDArray[np.float32], rate_hz: int, target_lufs: float) -> float:
    """Return the factor that brings these samples to the target, within ``MAX_GAIN_DB``."""
    loudness = loudness_lufs(samples, rate_hz)
    if loudness <= SILENCE_LUFS:
        return 1.0
    off_db = target_lufs - loudness
    return 10 ** (math.copysign(min(abs(off_db), MAX_GAIN_DB), off_db) / 20)


def loudness_lufs(samples: NDArray[np.float32], rate_hz: int) -> float:
    """Return the integrated loudness of float32 [n] (EBU R128: K-weighted, pauses left out)."""
    if not len(samples):
        return SILENCE_LUFS
    said = filtered(samples, rate_hz, [("ebur128", "metadata=1")]).metadata
    return float(said.get("lavfi.r128.I", SILENCE_LUFS))


def limited(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """Limit float32 [n] to the ceiling; samples within it are returned as they are."""
    if np.abs(samples).max(initial=0.0) <= 10 ** (CEILING_DBFS / 20):
        return samples
    return filtered(samples, rate_hz, [("alimiter", _LIMITER)]).samples
