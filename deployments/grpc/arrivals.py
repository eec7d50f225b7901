"""Messages that arrive: gRPC gathers them whole, so their number and time bound what they hold."""

from __future__ import annotations

import asyncio
from types import TracebackType

from deployments.config.schema import Limits
from deployments.http.middleware.deadline import Ending
from models.errors import BodyTooSlow, Overloaded

YOUNG_S = 2.0  # too early to call a message slow
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
        self._arriving: dict[Arrival, None] = {}  # the oldest first

    def one(self) -> Arrival:
        """Expect a message, for the length of a context manager.

        Raises:
            Overloaded: as many arrive as may; or later, that others needed its room.
            BodyTooSlow: later, that it took longer than a message may.
        """
        return Arrival(self, self._time_s)

    def add(self, arrival: Arrival) -> None:
        """Count a message that begins to arrive. Raises Overloaded."""
        now_s = asyncio.get_running_loop().time()
        if len(self._arriving) >= self._slow_places:
            self._drop_slow(now_s)
        if len(self._arriving) >= self._most:
            raise Overloaded(CROWDED)
        arrival.began_s = now_s
        self._arriving[arrival] = None

    def remove(self, arrival: Arrival) -> None:
        self._arriving.pop(arrival, None)

    def _drop_slow(self, now_s: float) -> None:
        slow = []
        for each in self._arriving:
            if now_s - each.began_s < YOUNG_S:
                break
            slow.append(each)
        for each in slow[: len(slow) + 1 - self._slow_places]:
            self.remove(each)
            each.now(Overloaded(f"{CROWDED}, and this one was the slowest"))


class Arrival(Ending):
    """One message that arrives."""

    __slots__ = ("_arrivals", "began_s")

    def __init__(self, arrivals: Arrivals, time_s: float) -> None:
        super().__init__({}, time_s, _late)
        self._arrivals = arrivals

    def __enter__(self) -> Arrival:
        self._arrivals.add(self)
        super().__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._arrivals.remove(self)
        super().__exit__(kind, error, traceback)


def _late() -> Exception:
    return BodyTooSlow("the message took longer than this server gives one", param="message")
