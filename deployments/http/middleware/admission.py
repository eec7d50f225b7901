"""How many requests run in this process, and whether it takes more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from models.errors import Draining, Overloaded

STOPPING = "the server is stopping"
FULL = "as many requests as this server takes at once are running"


class Admission:
    """The places of running requests; each is taken as a context manager."""

    def __init__(self, max_requests: int) -> None:
        self._max_requests = max_requests
        self._running = 0
        self._coming = 0  # whose bodies arrive, or did
        self._idle = asyncio.Event()
        self._idle.set()
        self.is_open = True  # what the probes say: it is not, some time before it drains
        self.draining = False

    def why_not_ready(self) -> str | None:
        """Why a probe is told not to send requests; None: it may."""
        if not self.is_open or self.draining:
            return STOPPING
        return FULL if self._running >= self._max_requests else None

    def __enter__(self) -> None:
        """Take a place for one request.

        Raises:
            Draining: the server is stopping.
            Overloaded: every place is taken.
        """
        self._check()
        self._running += 1
        self._idle.clear()

    def __exit__(self, *_: object) -> None:
        self._running -= 1
        self._settle()

    @contextmanager
    def after_body(self) -> Iterator[Callable[[], None]]:
        """A place that is not taken before the request's body is there.

        A drain waits for the body, too: who began to send before it is answered.

        Yields:
            What takes the place. Raises Overloaded: every place is taken by then.

        Raises:
            Draining: the server is stopping.
            Overloaded: every place is taken already.
        """
        self._check()
        taken = 0

        def take() -> None:
            nonlocal taken
            self._check_full()
            taken = 1
            self._running += 1

        self._coming += 1
        self._idle.clear()
        try:
            yield take
        finally:
            self._coming -= 1
            self._running -= taken
            self._settle()

    def _check(self) -> None:
        if self.draining:
            raise Draining(STOPPING)
        self._check_full()

    def _check_full(self) -> None:
        if self._running >= self._max_requests:
            raise Overloaded(FULL)

    def _settle(self) -> None:
        if not self._running and not self._coming:
            self._idle.set()

    async def drain(self, timeout_s: float, notice_s: float = 0.0) -> bool:
        """Say not ready, after ``notice_s`` take no more requests, and finish those that are here.

        Returns whether all of them have ended within ``timeout_s`` after that.
        """
        self.is_open = False
        await asyncio.sleep(notice_s)
        self.draining = True
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            return False
        return True
