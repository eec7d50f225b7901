"""End a session that is open too long, or to which no audio comes any more."""

from __future__ import annotations

from collections.abc import Callable

from deployments.batching.clock import Clock
from deployments.config.live import Live
from models.errors import DragomanError, SessionExpired, SessionIdle


class Expiry:
    """Calls ``end`` with the reason, once a session's time is up."""

    def __init__(self, clock: Clock, limits: Live, end: Callable[[DragomanError], None]) -> None:
        self._clock, self._limits, self._end = clock, limits, end
        self._touched_at = now = clock.time()
        self._life = clock.call_at(now + limits.max_session_s, self._expire)
        self._idleness = clock.call_at(now + limits.max_idle_s, self._check_idle)

    def touch(self) -> None:
        """Note that audio came."""
        self._touched_at = self._clock.time()

    def cancel(self) -> None:
        """Never call ``end`` any more."""
        self._life.cancel()
        self._idleness.cancel()

    def _expire(self) -> None:
        message = f"a session lasts at most {self._limits.max_session_s:g} s"
        self._end(SessionExpired(message))

    def _check_idle(self) -> None:
        idle_at = self._touched_at + self._limits.max_idle_s
        if idle_at > self._clock.time():
            self._idleness = self._clock.call_at(idle_at, self._check_idle)
        else:
            self._end(SessionIdle(f"no audio came for {self._limits.max_idle_s:g} s"))
