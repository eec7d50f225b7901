"""Messages that arrive: gRPC gathers them whole, so their number and time bound what they hold."""

from __future__ import annotations

import asyncio
from types import TracebackType

from deployments.config.schema import Limits
from models.errors import BodyTooSlow, Overloaded

YOUNG_S = 2.0  # too early to call a message slow
WATCH_S = 1.0  # between two looks at all that arrive
CROWDED = "too many messages are being sent at once"


class Arrivals:
    """All messages that arrive at one process.

    Nobody sees how much of a message is here, so each that is not young is taken to be as large as
    one may be. Where there are more of these than have room together, the oldest is dropped.
    """

    def __init__(self, limits: Limits) -> None:
        self._most = limits.max_receiving
        self._slow_places = max(1, limits.max_bodies_bytes // limits.max_body_bytes)
        self._time_s = min(limits.receive_timeout_s, limits.request_timeout_s)
        self._arriving: dict[Arrival, float] = {}  # when each began, the oldest first
        self._watch: asyncio.TimerHandle | None = None

    def one(self) -> Arrival:
        """Expect a message, for the length of a context manager.

        Raises:
            Overloaded: as many arrive as may; or later, that others needed its room.
            BodyTooSlow: later, that it took longer than a message may.
        """
        return Arrival(self)

    def add(self, arrival: Arrival) -> None:
        """Count a message that begins to arrive. Raises Overloaded."""
        if len(self._arriving) >= self._most:
            raise Overloaded(CROWDED)
        loop = asyncio.get_running_loop()
        self._arriving[arrival] = loop.time()
        if self._watch is None:
            self._watch = loop.call_later(WATCH_S, self._look)

    def remove(self, arrival: Arrival) -> None:
        self._arriving.pop(arrival, None)

    def _look(self) -> None:
        """Drop what is too slow, again and again while anything arrives."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        slow = [each for each, began_s in self._arriving.items() if now_s - began_s > YOUNG_S]
        for each in slow:
            if now_s - self._arriving[each] > self._time_s:
                message = "the message took longer than this server gives one"
                each.drop(BodyTooSlow(message, param="message"))
        crowding = [each for each in slow if each in self._arriving]
        for each in crowding[: max(0, len(crowding) - self._slow_places)]:
            each.drop(Overloaded(f"{CROWDED}, and this one was the slowest"))
        self._watch = loop.call_later(WATCH_S, self._look) if self._arriving else None


class Arrival:
    """One message that arrives, as a context manager around the wait for it."""

    __slots__ = ("_arrivals", "_error", "_task")

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._error: Exception | None = None

    def drop(self, error: Exception) -> None:
        """End the wait with an error."""
        self._arrivals.remove(self)
        self._error = error
        self._task.cancel()

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "a call runs in a task"
        self._task = task
        self._arrivals.add(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._arrivals.remove(self)
        if self._error is None:
            return
        cancelled_by_others = self._task.uncancel() > 0
        if isinstance(error, asyncio.CancelledError) and not cancelled_by_others:
            raise self._error from error
