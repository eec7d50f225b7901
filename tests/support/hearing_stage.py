"""A session's hearing on a virtual clock, over models that hear words as levels of sound."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import numpy as np

from deployments.live.events import Event, TranscriptDelta, TranscriptPartial, TurnDone
from deployments.live.hearing import Hearing
from deployments.live.options import LiveOptions
from models.types import SAMPLE_RATE_HZ
from tests.support.clock import VirtualClock
from tests.support.spoken_levels import LevelModels, Sound, of

CHUNK = SAMPLE_RATE_HZ // 10


class Stage:
    """A session with a clock, and what it told so far."""

    def __init__(self, options: LiveOptions | None = None, takes_s: float = 0.2) -> None:
        self.clock = VirtualClock()
        self.models = LevelModels(self.clock, takes_s)
        self.events: list[Event] = []
        self.at_s: list[float] = []
        self.hearing = Hearing(self.models, options or LiveOptions(), self._emit, self.clock)

    def _emit(self, event: Event) -> None:
        self.events.append(event)
        self.at_s.append(self.clock.time())

    async def say(self, *sounds: Sound, chunk: int = CHUNK) -> None:
        """Send sounds in real time."""
        sound = np.concatenate(sounds)
        for start in range(0, len(sound), chunk):
            self.hearing.add(sound[start : start + chunk])
            await self.clock.advance(chunk / SAMPLE_RATE_HZ)

    async def finish(self) -> None:
        await self.end(self.hearing.finish())

    async def end(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        while not task.done():
            await self.clock.advance(0.1)
        await task

    def texts(self) -> list[str]:
        """Return the turns' texts, each the sum of its deltas."""
        deltas: dict[int, str] = {}
        for delta in of(self.events, TranscriptDelta):
            assert isinstance(delta, TranscriptDelta)
            deltas[delta.turn] = deltas.get(delta.turn, "") + delta.text
        done = [event for event in self.events if isinstance(event, TurnDone)]
        assert [deltas.get(event.turn, "") for event in done] == [event.text for event in done]
        return [event.text for event in done]

    def kinds(self) -> list[str]:
        ignored = (TranscriptPartial, TranscriptDelta)
        return [type(event).__name__ for event in self.events if not isinstance(event, ignored)]
