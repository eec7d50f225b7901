"""Resample a stream of mono int16 while it comes, without clicks where its pieces meet."""

from __future__ import annotations

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from models.audio.resample import MAX_RATE_HZ, MIN_RATE_HZ, bad_rate
from models.types import SAMPLE_RATE_HZ

NOTHING = np.empty(0, np.int16)


class StreamResampler:
    """Converts from one rate to another; the pieces' results, joined, are that of the whole.

    It holds back a few ms, which the filter needs of what comes next; ``flush`` returns them.

    Raises:
        InvalidRequest: a rate that is not taken.
    """

    def __init__(self, from_hz: int, to_hz: int = SAMPLE_RATE_HZ) -> None:
        for rate_hz in (from_hz, to_hz):
            if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
                raise bad_rate(rate_hz)
        self._from_hz, self._to_hz = from_hz, to_hz
        self._resampler: AudioResampler | None = None

    def add(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Take samples [n]; return what is converted so far: int16 [m]."""
        if self._from_hz == self._to_hz or not len(samples):
            return samples
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(samples)[None], format="s16", layout="mono"
        )
        frame.sample_rate = self._from_hz
        if self._resampler is None:
            self._resampler = AudioResampler(format="s16", layout="mono", rate=self._to_hz)
        return self._gathered(frame)

    def flush(self) -> NDArray[np.int16]:
        """Return the rest; what is added then begins a new stream."""
        if self._resampler is None:
            return NOTHING
        rest, self._resampler = self._gathered(None), None
        return rest

    def _gathered(self, frame: AudioFrame | None) -> NDArray[np.int16]:
        assert self._resampler is not None
        got = [each for each in self._resampler.resample(frame) if each is not None]
        parts: list[NDArray[np.int16]] = [each.to_ndarray()[0] for each in got]
        return np.concatenate(parts) if parts else NOTHING
