"""Decide whether and when a call is tried again, and how much time each attempt has."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

import httpx

from . import headers
from .deadlines import Deadline
from .policy import Retry

logger = logging.getLogger("dragoman_client")

Sleep: TypeAlias = Callable[[float], None]
AsyncSleep: TypeAlias = Callable[[float], Awaitable[None]]

# A request's extension: False switches its retries off.
RETRIES_EXTENSION = "dragoman.retries"
# A request's extension: True bounds the time to the first piece, and then each wait for another.
STREAM_EXTENSION = "dragoman.stream"

# The server is told to give up a little earlier than the client does, so that its own answer,
# which says what was late, arrives in time: a tenth of the time earlier, at most this.
MAX_ANSWER_MARGIN_S = 0.25

# A sleep may end a little after the deadline; a socket's timeout must still be positive.
MIN_REMAINING_S = 0.001

# The server was not reached, or it went away while it worked. Other timeouts are left out because
# they end with the time of the call.
RETRIED_ERRORS = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.ReadError,
    httpx.WriteError,
    httpx.RemoteProtocolError,
)


@dataclass(frozen=True, slots=True)
class Clocks:
    """The time and chance that retries depend on; tests bring their own."""

    monotonic_s: Callable[[], float] = time.monotonic
    unix_s: Callable[[], float] = time.time  # for the dates of Retry-After
    jitter: Callable[[], float] = random.random


REAL_CLOCKS = Clocks()


class Attempts:
    """The attempts of one call, counted and timed."""

    def __init__(self, request: httpx.Request, retry: Retry, clocks: Clocks) -> None:
        self._request, self._retry, self._clocks = request, retry, clocks
        self._limits: dict[str, float | None] = dict(request.extensions.get("timeout", {}))
        self._budget_s = self._limits.get("read")
        self._ends_at_s = None
        if self._budget_s is not None:
            self._ends_at_s = clocks.monotonic_s() + self._budget_s
        self._allowed = retry.attempts if request.extensions.get(RETRIES_EXTENSION, True) else 1
        self._begun = 0

    def begin(self) -> Deadline | None:
        """Give the next attempt the time that is left, and tell the server."""
        self._begun += 1
        remaining_s = self._remaining_s()
        if remaining_s is None:
            return None
        limits = {name: _least(limit, remaining_s) for name, limit in self._limits.items()}
        self._request.extensions["timeout"] = limits
        server_s = remaining_s - min(remaining_s / 10, MAX_ANSWER_MARGIN_S)
        self._request.headers[headers.TIMEOUT] = str(max(1, int(server_s * 1000)))
        streams = self._request.extensions.get(STREAM_EXTENSION, False)
        return Deadline.after(remaining_s, self._budget_s if streams else None)

    def wait_after_error_s(self, error: httpx.TransportError) -> float | None:
        """Return the wait before the next attempt; None ends the call with this error."""
        if not isinstance(error, RETRIED_ERRORS):
            return None
        return self._wait_s(None, str(error) or type(error).__name__)

    def wait_after_response_s(self, response: httpx.Response) -> float | None:
        """Return the wait before the next attempt; None ends the call with this response."""
        if response.status_code not in self._retry.statuses:
            return None
        asked = response.headers.get("retry-after")
        asked_s = headers.retry_after_s(asked, self._clocks.unix_s())
        return self._wait_s(asked_s, f"status {response.status_code}")

    def _wait_s(self, asked_s: float | None, cause: str) -> float | None:
        if self._begun >= self._allowed:
            return None
        wait_s = asked_s
        if wait_s is None:
            wait_s = self._retry.delay_s(self._begun, self._clocks.jitter())
        remaining_s = self._remaining_s()
        if remaining_s is not None and wait_s >= remaining_s:
            return None
        request = self._request
        logger.info("%s %s: %s; again in %.2f s", request.method, request.url, cause, wait_s)
        return wait_s

    def _remaining_s(self) -> float | None:
        if self._ends_at_s is None:
            return None
        return max(MIN_REMAINING_S, self._ends_at_s - self._clocks.monotonic_s())


def _least(limit_s: float | None, remaining_s: float) -> float:
    return remaining_s if limit_s is None else min(limit_s, remaining_s)
