"""Keep the last audio of a session: to pass it on as it was, and to speak in its voice."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from deployments.live.models import LiveModels
from models.audio.samples import levelled
from models.speaker.voice_clips import reference
from models.types import SAMPLE_RATE_HZ, Audio, Samples, VadItem

KEPT_S = 60.0
PIECE_SAMPLES = SAMPLE_RATE_HZ // 2  # shorter ones are joined
VOICE_S = 16.0  # before a clause's end, in which its speaker's voice is looked for
VOICE_AGE_S = 8.0  # of audio, for which a clip of a voice serves


class HeardAudio:
    """The last minute of a session at 16 kHz; times count from the session's first sample."""

    def __init__(self, models: LiveModels) -> None:
        self._models = models
        self._pieces: deque[NDArray[np.int16]] = deque()
        self._start = self._end = 0  # samples since the session's first
        self._voice: Samples | None = None
        self._voice_at_s = -VOICE_AGE_S

    def add(self, samples: NDArray[np.int16], *, keeps: bool = True) -> None:
        """Append what was received, and forget what is too old.

        ``keeps``: whether anybody is spoken to; else nothing is kept, and only times go on.
        """
        if not keeps:
            self._pieces.clear()
            self._start = self._end = self._end + len(samples)
            return
        if self._pieces and len(self._pieces[-1]) < PIECE_SAMPLES:
            self._pieces[-1] = np.concatenate([self._pieces[-1], samples])
        else:
            self._pieces.append(samples)
        self._end += len(samples)
        while self._end - self._start - len(self._pieces[0]) >= KEPT_S * SAMPLE_RATE_HZ:
            self._start += len(self._pieces.popleft())

    def clip(self, start_s: float, end_s: float) -> Audio:
        """Return what was heard between two times, as far as it is kept."""
        start, end = (round(at_s * SAMPLE_RATE_HZ) - self._start for at_s in (start_s, end_s))
        kept = np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.int16)
        return Audio(kept[max(0, start) : max(0, end)])

    async def voice(self, at_s: float) -> Samples:
        """Return a clip of the voice that spoke until ``at_s``."""
        if self._voice is None or abs(at_s - self._voice_at_s) >= VOICE_AGE_S:
            audio = self.clip(max(0.0, at_s - VOICE_S), at_s)
            loud = Audio(levelled(audio.samples))
            heard = await self._models.hear(VadItem(loud.samples))
            found = reference(loud, heard) if heard.spans else loud
            self._voice, self._voice_at_s = found.samples, at_s
        return self._voice
