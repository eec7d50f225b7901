"""The load generator: requests go out by a schedule or from callers, and are written down.

How a request is sent is the caller's: through the client, or over raw connections.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from dragoman_client import (
    ConnectionFailed,
    DeadlinePassed,
    DragomanError,
    Overloaded,
    QueueDeadlinePassed,
    QueueFull,
    RateLimited,
    TimeoutError,
    Unavailable,
    UnexpectedResponse,
)

from .arrivals import Process, arrivals_s
from .endpoints import Answer, Ask

# The server says that it is asked for more than it can do: what a load test may provoke.
OVERLOAD = (RateLimited, Overloaded, QueueFull, QueueDeadlinePassed, DeadlinePassed)
LOCAL_KINDS: dict[type[DragomanError], str] = {
    ConnectionFailed: "connection failed",
    TimeoutError: "no answer in time",
    UnexpectedResponse: "not an answer of Dragoman's",
}


class Clock(Protocol):
    """Tell the time to steps; tests bring their own."""

    def time(self) -> float: ...

    async def sleep_until(self, when_s: float) -> None: ...


class RealClock:
    """Monotonic seconds."""

    def time(self) -> float:
        return time.perf_counter()

    async def sleep_until(self, when_s: float) -> None:
        await asyncio.sleep(max(0.0, when_s - self.time()))


@dataclass(frozen=True, slots=True)
class Load:
    """The load that is asked for: a rate (open loop) or a number of callers (closed loop)."""

    loop: Literal["open", "closed"]
    value: float  # requests/s, or callers

    def __str__(self) -> str:
        if self.loop == "open":
            return f"{self.value:g} requests/s"
        return f"{self.value:g} caller{'' if self.value == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Length:
    """The length of a step: so many seconds, or so many requests.

    After ``answers`` a closed loop ends at once: who still waits leaves, so that no caller idles
    while the last answers are counted.
    """

    duration_s: float | None = None
    requests: int | None = None
    answers: int | None = None
    until: asyncio.Event | None = None  # ends it, too, once it is set

    def is_over(self, number: int, elapsed_s: float) -> bool:
        """Tell whether the request of this number, at this time, is not begun any more."""
        if self.until is not None and self.until.is_set():
            return True
        if self.requests is not None:
            return number >= self.requests
        return self.duration_s is not None and elapsed_s >= self.duration_s


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why there was no answer: the status and code, such as ``503 queue_full``."""

    kind: str
    is_overload: bool
    message: str = field(default="", compare=False)
    retry_after_s: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request; its times are seconds from the step's start.

    ``intended_s`` is when it was to be sent. Latency counts from there: a load generator that
    is late itself, or waits for an answer, does not hide what its callers would have waited.
    """

    intended_s: float
    sent_s: float
    ended_s: float
    answer: Answer | None
    failure: Failure | None

    @property
    def latency_ms(self) -> float:
        return (self.ended_s - self.intended_s) * 1000

    @property
    def send_delay_ms(self) -> float:
        return (self.sent_s - self.intended_s) * 1000


@dataclass(slots=True)
class Recording:
    """The record of a step so far; ``elapsed_s`` runs to the end of its last request."""

    load: Load
    outcomes: list[Outcome] = field(default_factory=list)
    sent: int = 0
    elapsed_s: float = 0.0
    is_whole: bool = False  # False: it was interrupted


class _Enough(Exception):
    """So many answers have come as were asked for."""


Listener: TypeAlias = Callable[[Recording], None]


@dataclass(frozen=True, slots=True)
class Stepper:
    """Run steps. ``listener`` hears of each answer."""

    ask: Ask
    clock: Clock
    process: Process = "poisson"
    seed: int = 0
    listener: Listener = lambda recording: None

    async def run(self, recording: Recording, length: Length) -> None:
        """Run the step of ``recording.load``; every request that was sent is waited for.

        If it is cancelled, what was seen until then stays in the recording.
        """
        start_s = self.clock.time()
        try:
            if recording.load.loop == "open":
                await self._open_loop(recording, length, start_s)
            else:
                await self._closed_loop(recording, length, start_s)
            recording.is_whole = True
        finally:
            recording.elapsed_s = self.clock.time() - start_s

    async def _open_loop(self, recording: Recording, length: Length, start_s: float) -> None:
        arrivals = arrivals_s(recording.load.value, self.process, self.seed)
        async with asyncio.TaskGroup() as requests:
            for number, offset_s in enumerate(arrivals):
                if length.is_over(number, offset_s):
                    break
                await self.clock.sleep_until(start_s + offset_s)
                requests.create_task(self._send(recording, number, start_s, offset_s))
            if length.duration_s is not None:
                await self.clock.sleep_until(start_s + length.duration_s)

    async def _closed_loop(self, recording: Recording, length: Length, start_s: float) -> None:
        numbers = itertools.count()
        try:
            async with asyncio.TaskGroup() as callers:
                for _ in range(int(recording.load.value)):
                    callers.create_task(self._call_again(recording, length, start_s, numbers))
        except* _Enough:  # who ended in the same moment is not counted
            del recording.outcomes[length.answers :]

    async def _call_again(
        self, recording: Recording, length: Length, start_s: float, numbers: Iterator[int]
    ) -> None:
        """Call as one caller: the next request follows the answer to the last."""
        for number in numbers:
            elapsed_s = self.clock.time() - start_s
            if length.is_over(number, elapsed_s):
                return
            await self._send(recording, number, start_s, elapsed_s)
            if length.answers is not None and len(recording.outcomes) >= length.answers:
                raise _Enough

    async def _send(
        self, recording: Recording, number: int, start_s: float, intended_s: float
    ) -> None:
        recording.sent += 1
        sent_s = self.clock.time() - start_s
        answer, failure = None, None
        try:
            answer = await self.ask(number)
        except DragomanError as error:
            failure = failure_of(error)
        ended_s = self.clock.time() - start_s
        recording.outcomes.append(Outcome(intended_s, sent_s, ended_s, answer, failure))
        self.listener(recording)


def failure_of(error: DragomanError) -> Failure:
    """Name the kind of an error. A 503 without a code is a proxy's, which is full as well."""
    for cls, kind in LOCAL_KINDS.items():
        if isinstance(error, cls):
            return Failure(kind, False, str(error))
    kind = " ".join(str(part) for part in (error.status, error.code) if part)
    from_proxy = isinstance(error, Unavailable) and error.code is None
    is_overload = isinstance(error, OVERLOAD) or from_proxy
    return Failure(kind or type(error).__name__, is_overload, str(error), error.retry_after_s)
