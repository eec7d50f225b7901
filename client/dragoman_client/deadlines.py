"""The bound of a whole call: what keeps a server that drips its answer from drawing it out.

Timeouts of httpx are of one wait for the socket. Here every wait ends with the call: of the
synchronous client in the stream below httpx, of the asynchronous one by ``asyncio.timeout``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, TypeVar

import httpcore
import httpx

T = TypeVar("T")

WRITE_BYTES = 1 << 14  # at once: a socket takes them whole, so that no write waits twice

# When what this thread does must have ended, on ``time.monotonic``.
_ends_at: ContextVar[float | None] = ContextVar("ends_at", default=None)


@dataclass(frozen=True, slots=True)
class Bound:
    """When a call ends; ``piece_s``, of a stream: the wait for each piece after the first."""

    ends_at: float  # on ``time.monotonic``
    piece_s: float | None = None

    def after_a_piece(self) -> Bound:
        return (
            self if self.piece_s is None else Bound(time.monotonic() + self.piece_s, self.piece_s)
        )

    def left_s(self) -> float:
        return self.ends_at - time.monotonic()


@contextmanager
def until(ends_at: float | None) -> Iterator[None]:
    """What waits for a socket inside waits no longer than that."""
    token = _ends_at.set(ends_at)
    try:
        yield
    finally:
        _ends_at.reset(token)


def bound_waits(transport: httpx.BaseTransport) -> None:
    """Have the connections of a transport of httpx's own keep to ``until``."""
    if isinstance(transport, httpx.HTTPTransport):
        pool = transport._pool
        pool._network_backend = BoundedBackend(pool._network_backend)


# ---- the synchronous client ---------------------------------------------------------------


def _left_s(timeout_s: float | None, error_class: type[Exception]) -> float | None:
    """How long to wait now. Raises ``error_class``: no time is left."""
    ends_at = _ends_at.get()
    if ends_at is None:
        return timeout_s
    left_s = ends_at - time.monotonic()
    if left_s <= 0:
        raise error_class("the time of the call has passed")
    return left_s


def _to_connect_s(timeout_s: float | None) -> float | None:
    left_s = _left_s(timeout_s, httpcore.ConnectTimeout)
    return left_s if timeout_s is None or left_s is None else min(timeout_s, left_s)


class BoundedBackend(httpcore.NetworkBackend):
    """Connects as another backend does, within the time of the call."""

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
    """A connection of which each wait ends with the call."""

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


class BoundedBody(httpx.SyncByteStream):
    """The body of an answer, within its bound."""

    def __init__(self, body: httpx.SyncByteStream, bound: Bound) -> None:
        self._body, self._bound = body, bound

    def __iter__(self) -> Iterator[bytes]:
        pieces, bound = iter(self._body), self._bound
        while True:
            if bound.left_s() <= 0:
                raise too_late()
            with until(bound.ends_at):
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece
            bound = bound.after_a_piece()

    def close(self) -> None:
        self._body.close()


# ---- the asynchronous client --------------------------------------------------------------


class AsyncBoundedBody(httpx.AsyncByteStream):
    """The body of an answer, within its bound."""

    def __init__(self, body: httpx.AsyncByteStream, bound: Bound) -> None:
        self._body, self._bound = body, bound

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces, bound = aiter(self._body), self._bound
        while True:
            piece = await within(bound, lambda: anext(pieces, None))
            if piece is None:
                return
            yield piece
            bound = bound.after_a_piece()

    async def aclose(self) -> None:
        await self._body.aclose()


async def within(bound: Bound, start: Callable[[], Awaitable[T]]) -> T:
    """What ``start`` begins, within the bound. Raises httpx.ReadTimeout."""
    if bound.left_s() <= 0:  # what needs no wait would never notice
        raise too_late()
    try:
        async with asyncio.timeout(bound.left_s()) as limit:
            return await start()
    except TimeoutError:
        if limit.expired():
            raise too_late() from None
        raise


def too_late() -> httpx.ReadTimeout:
    return httpx.ReadTimeout("the time of the call has passed")
