"""Keep the samples of a stream that are still needed, by their places since its start."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.audio.samples import (
    QUIET_DBFS,
    USUAL_DBFS,
    loudness_dbfs,
    to_float32,
    to_int16,
)

SAMPLE_BYTES = 2
# Below this there is noise alone, which must not be made loud before anybody has spoken.
FAINT_DBFS = -60.0


class Tape:
    """Samples at 16 kHz from a moving start on; a quiet stream is made as loud as most.

    The gain only falls, as louder sound comes: it depends on nothing that is still to come.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._loudest_dbfs = -np.inf
        self.start = 0

    @property
    def end(self) -> int:
        """Return how many samples have come."""
        return self.start + len(self._bytes) // SAMPLE_BYTES

    def add(self, samples: NDArray[np.int16]) -> None:
        self._bytes += self._levelled(samples).tobytes()

    def cut(self, start: int, end: int) -> NDArray[np.int16]:
        """Copy the samples of a stretch, which must not begin before ``start``."""
        first, last = ((at - self.start) * SAMPLE_BYTES for at in (start, end))
        return np.frombuffer(self._bytes[first:last], np.int16)

    def drop(self, before: int) -> None:
        """Forget what lies before a place."""
        before = min(before, self.end)
        if before > self.start:
            del self._bytes[: (before - self.start) * SAMPLE_BYTES]
            self.start = before

    def _levelled(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        self._loudest_dbfs = max(self._loudest_dbfs, loudness_dbfs(samples))
        if not FAINT_DBFS <= self._loudest_dbfs < QUIET_DBFS:
            return samples
        gain = np.float32(10 ** ((USUAL_DBFS - self._loudest_dbfs) / 20))
        return to_int16(np.clip(to_float32(samples) * gain, -1.0, 1.0))
