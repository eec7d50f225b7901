"""How long a call may take and how often it is tried: a wrapper around httpx's transports.

All of Dragoman's endpoints are free of side effects: a call that is sent twice changes
nothing on the server, so that POST may be repeated as well as GET.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import httpx

from . import headers
from .deadlines import AsyncBoundedBody, Bound, BoundedBody, bound_waits, until, within

logger = logging.getLogger("dragoman_client")

# Set to False among a request's extensions, this switches its retries off.
RETRIES_EXTENSION = "dragoman.retries"
# Set to True, this bounds the answer's first piece and then each further one, not their sum.
STREAM_EXTENSION = "dragoman.stream"

# The server is told to give up a little before the socket does, so that its own answer,
# which says what was late, arrives first: a tenth of the time, at most this.
MAX_ANSWER_MARGIN_S = 0.25

# A sleep may overrun the deadline by a hair; a socket's timeout must be positive still.
MIN_REMAINING_S = 0.001

# 429 the caller's rate, 502 the proxy lost the replica, 503 full, draining or not ready.
# Not 504: the work was done, and the time for it has passed. Not 500: it would fail again.
RETRIED_STATUSES = frozenset({429, 502, 503})

# The server was not reached, or it went away while it worked. Timeouts are not among them:
# but for that of connecting, they end with the time of the call.
RETRIED_ERRORS = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.ReadError,
    httpx.WriteError,
    httpx.RemoteProtocolError,
)


# Some minutes of speech on a CPU; a server with a GPU needs a fraction of it.
DEFAULT_TOTAL_S = 120.0


@dataclass(frozen=True, slots=True)
class Timeout:
    """How long a call may take, its retries included.

    ``total_s`` bounds all of it: to connect, to send, and to read the last byte, however slowly
    they come. Of a stream it bounds the way to the first piece, and then the wait for each further
    one. It is also the deadline that the server is told (``x-timeout-ms``), so that it stops
    working on what nobody waits for. None waits as long as the server does.

    >>> Client(timeout=30)  # seconds in all
    >>> Client(timeout=Timeout(total_s=600, connect_s=2))
    >>> Client(timeout=None)
    """

    total_s: float | None = DEFAULT_TOTAL_S
    connect_s: float = 5.0

    def __post_init__(self) -> None:
        for name in ("total_s", "connect_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive, got {value!r}")

    def to_httpx(self) -> httpx.Timeout:
        connect_s = self.connect_s
        if self.total_s is not None:
            connect_s = min(connect_s, self.total_s)
        return httpx.Timeout(self.total_s, connect=connect_s)


@dataclass(frozen=True, slots=True)
class Retry:
    """When and how soon a call is tried again.

    The server's ``Retry-After`` is kept to; where there is none, the wait doubles from
    ``backoff_s`` up to ``max_backoff_s``, and a random part of up to a half is taken off,
    so that callers who failed together do not return together. A wait that would end past
    the call's timeout is not begun: the error is raised at once.

    >>> Client(retry=Retry(attempts=5, backoff_s=0.2))
    >>> Client(retry=Retry(attempts=1))  # never again
    """

    attempts: int = 3  # in all, the first one included
    backoff_s: float = 0.5
    max_backoff_s: float = 8.0
    statuses: frozenset[int] = RETRIED_STATUSES

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1, got {self.attempts}")
        if not 0 <= self.backoff_s <= self.max_backoff_s:
            raise ValueError(f"need 0 <= backoff_s <= max_backoff_s, got {self}")

    def delay_s(self, attempt: int, jitter: float) -> float:
        """The wait after attempt 1, 2, ... where the server names none; jitter in [0, 1)."""
        doubled_s = self.backoff_s * 2.0 ** min(attempt - 1, 32)  # 32: far over any maximum
        return min(doubled_s, self.max_backoff_s) * (1 - jitter / 2)


DEFAULT_TIMEOUT = Timeout()
DEFAULT_RETRY = Retry()


@dataclass(frozen=True, slots=True)
class Clocks:
    """The time and chance that retries depend on; tests bring their own."""

    monotonic_s: Callable[[], float] = time.monotonic
    unix_s: Callable[[], float] = time.time  # against the dates of Retry-After
    jitter: Callable[[], float] = random.random


REAL_CLOCKS = Clocks()


class _Attempts:
    """The attempts of one call: what both colours of the transport share."""

    def __init__(self, request: httpx.Request, retry: Retry, clocks: Clocks) -> None:
        self._request, self._retry, self._clocks = request, retry, clocks
        self._limits: dict[str, float | None] = dict(request.extensions.get("timeout", {}))
        self._budget_s = self._limits.get("read")
        self._deadline_s = None
        if self._budget_s is not None:
            self._deadline_s = clocks.monotonic_s() + self._budget_s
        self._allowed = retry.attempts if request.extensions.get(RETRIES_EXTENSION, True) else 1
        self._begun = 0

    def begin(self) -> Bound | None:
        """Gives the next attempt what is left of the time, and tells the server."""
        self._begun += 1
        remaining_s = self._remaining_s()
        if remaining_s is None:
            return None
        limits = {name: _least(limit, remaining_s) for name, limit in self._limits.items()}
        self._request.extensions["timeout"] = limits
        server_s = remaining_s - min(remaining_s / 10, MAX_ANSWER_MARGIN_S)
        self._request.headers[headers.TIMEOUT] = str(max(1, int(server_s * 1000)))
        streams = self._request.extensions.get(STREAM_EXTENSION, False)
        ends_at = time.monotonic() + remaining_s  # of the sockets, whatever the clock of retries
        return Bound(ends_at, self._budget_s if streams else None)

    def wait_after_error_s(self, error: httpx.TransportError) -> float | None:
        """How long to wait before the next attempt; None ends the call with this error."""
        if not isinstance(error, RETRIED_ERRORS):
            return None
        return self._wait_s(None, str(error) or type(error).__name__)

    def wait_after_response_s(self, response: httpx.Response) -> float | None:
        """How long to wait before the next attempt; None ends the call with this response."""
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
        if self._deadline_s is None:
            return None
        return max(MIN_REMAINING_S, self._deadline_s - self._clocks.monotonic_s())


def _least(limit_s: float | None, remaining_s: float) -> float:
    return remaining_s if limit_s is None else min(limit_s, remaining_s)


class RetryTransport(httpx.BaseTransport):
    """Repeats what failed for a passing reason, within the request's read timeout.

    It serves any httpx client whose requests may be repeated:

    >>> httpx.Client(transport=RetryTransport(httpx.HTTPTransport(), Retry(attempts=5)))
    """

    def __init__(
        self,
        transport: httpx.BaseTransport,
        retry: Retry = DEFAULT_RETRY,
        *,
        clocks: Clocks = REAL_CLOCKS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        bound_waits(transport)
        self._transport, self._retry, self._clocks, self._sleep = transport, retry, clocks, sleep

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        attempts = _Attempts(request, self._retry, self._clocks)
        while True:
            bound = attempts.begin()
            try:
                with until(bound.ends_at if bound else None):
                    response = self._transport.handle_request(request)
            except httpx.TransportError as error:
                wait_s = attempts.wait_after_error_s(error)
                if wait_s is None:
                    raise
            else:
                wait_s = attempts.wait_after_response_s(response)
                if wait_s is None:
                    if bound and isinstance(response.stream, httpx.SyncByteStream):
                        response.stream = BoundedBody(response.stream, bound)
                    return response
                response.close()
            self._sleep(wait_s)

    def close(self) -> None:
        self._transport.close()


class AsyncRetryTransport(httpx.AsyncBaseTransport):
    """:class:`RetryTransport` for asyncio."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        retry: Retry = DEFAULT_RETRY,
        *,
        clocks: Clocks = REAL_CLOCKS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._transport, self._retry, self._clocks, self._sleep = transport, retry, clocks, sleep

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        attempts = _Attempts(request, self._retry, self._clocks)
        while True:
            bound = attempts.begin()
            send = partial(self._transport.handle_async_request, request)
            try:
                response = await (within(bound, send) if bound else send())
            except httpx.TransportError as error:
                wait_s = attempts.wait_after_error_s(error)
                if wait_s is None:
                    raise
            else:
                wait_s = attempts.wait_after_response_s(response)
                if wait_s is None:
                    if bound and isinstance(response.stream, httpx.AsyncByteStream):
                        response.stream = AsyncBoundedBody(response.stream, bound)
                    return response
                await response.aclose()
            await self._sleep(wait_s)

    async def aclose(self) -> None:
        await self._transport.aclose()
