"""End a whole call at its deadline (reads private parts of httpx 0.28 and httpcore 1.0).

A timeout of httpx bounds a single wait for the socket, so that a server which sends a byte now and
then could hold a call for ever. Here every wait ends at the deadline of the call: with asyncio by
``asyncio.timeout``, in a thread by a wrapper around each socket below httpx. A thread cannot bound
the look-up of the server's name, and each address of that name may take the time to connect.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, TypeVar

import httpcore
import httpx

T = TypeVar("T")

TOO_LATE = "the time of the call has passed"

# Bytes written at once: a socket mostly takes them whole, so that no write waits twice.
WRITE_BYTES = 1 << 14

# The deadline of what this thread does now, on ``time.monotonic``.
_ends_at: ContextVar[float | None] = ContextVar("ends_at", default=None)


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of a call; for a stream also the time of each piece after the first."""

    ends_at: float  # on ``time.monotonic``
    piece_s: float | None = None

    @classmethod
    def after(cls, duration_s: float, piece_s: float | None = None) -> Deadline:
        return cls(time.monotonic() + duration_s, piece_s)

    def after_a_piece(self) -> Deadline:
        """Return the deadline of the next piece: a new one if this is a stream."""
        return self if self.piece_s is None else Deadline.after(self.piece_s, self.piece_s)

    def left_s(self) -> float:
        """Return the time that is left. Raise httpx.ReadTimeout if there is none."""
        left_s = self.ends_at - time.monotonic()
        if left_s <= 0:
            raise httpx.ReadTimeout(TOO_LATE)
        return left_s


# ---- asyncio ------------------------------------------------------------------------------


async def within_async(deadline: Deadline | None, start: Callable[[], Awaitable[T]]) -> T:
    """Await what ``start`` begins until the deadline. Raise httpx.ReadTimeout after it."""
    if deadline is None:
        return await start()
    left_s = deadline.left_s()  # checked, too, for pieces that need no wait
    try:
        async with asyncio.timeout(left_s) as limit:
            return await start()
    except TimeoutError:
        if limit.expired():
            raise httpx.ReadTimeout(TOO_LATE) from None
        raise


# ---- threads ------------------------------------------------------------------------------


def within(deadline: Deadline | None, start: Callable[[], T]) -> T:
    """Call ``start``, whose waits for sockets end at the deadline. Raise httpx.ReadTimeout."""
    if deadline is None:
        return start()
    deadline.left_s()  # checked, too, for pieces that need no wait
    token = _ends_at.set(deadline.ends_at)
    try:
        return start()
    finally:
        _ends_at.reset(token)


def bound_waits(transport: httpx.BaseTransport | httpx.AsyncBaseTransport) -> None:
    """Make the sockets of httpx's own blocking transport obey ``within``.

    Another transport is left as it is: with asyncio nothing is needed, and of a stranger's
    blocking transport nothing is known.
    """
    if isinstance(transport, httpx.HTTPTransport):
        pool = transport._pool
        pool._network_backend = BoundedBackend(pool._network_backend)


def _left_s(timeout_s: float | None, error_class: type[Exception]) -> float | None:
    """Return the time to the deadline, or ``timeout_s`` if there is none.

    Raise ``error_class`` if no time is left.
    """
    ends_at = _ends_at.get()
    if ends_at is None:
        return timeout_s
    left_s = ends_at - time.monotonic()
    if left_s <= 0:
        raise error_class(TOO_LATE)
    return left_s


def _to_connect_s(timeout_s: float | None) -> float | None:
    left_s = _left_s(timeout_s, httpcore.ConnectTimeout)
    return left_s if timeout_s is None or left_s is None else min(timeout_s, left_s)


class BoundedBackend(httpcore.NetworkBackend):
    """Connects as another backend does, but never past the deadline."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left_s = _to_connect_s(timeout)
        stream = self._backend.connect_tcp(host, port, left_s, local_address, socket_options)
        return BoundedStream(stream)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        left_s = _to_connect_s(timeout)
        return BoundedStream(self._backend.connect_unix_socket(path, left_s, socket_options))

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class BoundedStream(httpcore.NetworkStream):
    """A connection whose waits all end at the deadline."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left_s(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), WRITE_BYTES):
            left_s = _left_s(timeout, httpcore.WriteTimeout)
            self._stream.write(buffer[start : start + WRITE_BYTES], left_s)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left_s = _to_connect_s(timeout)
        return BoundedStream(self._stream.start_tls(ssl_context, server_hostname, left_s))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
