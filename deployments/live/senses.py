"""How a session hears: what it needs of an ear and of a resampler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deployments.batching.clock import Clock
from deployments.live.events import Event
from deployments.live.models import LiveModels
from deployments.live.options import LiveOptions


class Hears(Protocol):
    """The ear of a session: samples at 16 kHz in, events out through a callback."""

    def add(self, samples: NDArray[np.int16]) -> None:
        """Take samples."""
        ...

    async def until_heard(self, at_most_s: float) -> None:
        """Wait until no more than so much speech waits for the models."""
        ...

    def commit(self) -> None:
        """End the turn here. Raises EmptyCommit: there is next to no audio."""
        ...

    def clear(self) -> None:
        """Forget the audio of the open turn."""
        ...

    def update(self, options: LiveOptions) -> None:
        """Hear what comes from now on by other options."""
        ...

    async def finish(self) -> None:
        """Hear all that was taken, and end the open turn."""
        ...

    def abort(self) -> None:
        """Stop at once."""
        ...


class Resamples(Protocol):
    """Bring a stream to 16 kHz."""

    def add(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Return what can be told so far."""
        ...

    def flush(self) -> NDArray[np.int16]:
        """Return the rest."""
        ...


@dataclass(frozen=True, slots=True)
class Senses:
    """Make the ear of a session, and a resampler from a rate in Hz."""

    hearing: Callable[[LiveModels, LiveOptions, Callable[[Event], None], Clock], Hears]
    resampler: Callable[[int], Resamples]


class Converter:
    """Brings a stream to 16 kHz, whose rate may change."""

    def __init__(self, resampler: Callable[[int], Resamples]) -> None:
        self._make = resampler
        self._resampler: Resamples | None = None
        self._rate_hz = 0

    def add(self, samples: NDArray[np.int16], rate_hz: int) -> NDArray[np.int16]:
        """Return what can be told so far. Raises InvalidRequest: the rate is none of audio."""
        if self._resampler is None or rate_hz != self._rate_hz:
            made = self._make(rate_hz)
            before = self.flush()
            self._resampler, self._rate_hz = made, rate_hz
            return np.concatenate([before, made.add(samples)])
        return self._resampler.add(samples)

    def flush(self) -> NDArray[np.int16]:
        """Return the rest."""
        return np.zeros(0, np.int16) if self._resampler is None else self._resampler.flush()
