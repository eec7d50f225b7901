"""Raw connections for high rates: requests made once, and sent over connections that stay open.

A request costs the caller one write and a parser in C, a tenth of what an HTTP client costs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import httptools
import httpx

import dragoman_client
from dragoman_client import ConnectionFailed, errors

from .endpoints import Answer, Ask

ANSWER_S = 300.0


def prepared(url: str, **content: object) -> bytes:
    """Make the bytes of a POST; ``content`` is what httpx takes (json, files, data, headers)."""
    request = httpx.Request("POST", url, **content)  # type: ignore[arg-type]
    lines = [f"POST {request.url.raw_path.decode()} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + request.read()


@dataclass
class Reply:
    """A whole answer. ``first_byte_s`` is when its body began, on ``time.perf_counter``."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)  # names in small letters
    body: bytes = b""
    first_byte_s: float = 0.0

    def as_response(self) -> httpx.Response:
        """Return it as httpx has it, for who reads its JSON or its error."""
        kept = {name: value for name, value in self.headers.items() if name != "content-encoding"}
        return httpx.Response(self.status, headers=kept, content=self.body)


class Connections:
    """Open connections to one server. A request takes a free one, or opens another."""

    def __init__(self, url: str, timeout_s: float = ANSWER_S) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._timeout_s = timeout_s
        self._free: list[_Connection] = []

    async def send(self, request: bytes) -> Reply:
        """Send the bytes of one request, and wait for the whole answer.

        Raises:
            ConnectionFailed: there is no connection, or it broke before the answer's end.
            dragoman_client.TimeoutError: there was no answer in time.
        """
        connection = None
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = self._kept() or await self._opened()
                reply = await connection.send(request)
        except TimeoutError as error:
            raise dragoman_client.TimeoutError(f"no answer within {self._timeout_s:g} s") from error
        except OSError as error:
            raise ConnectionFailed(f"cannot reach {self._host}:{self._port}: {error}") from error
        finally:
            if connection is not None:
                self._give_back(connection)
        return reply

    def close(self) -> None:
        """Close all connections that are free."""
        while self._free:
            self._free.pop().abort()

    def _kept(self) -> _Connection | None:
        """Take a free connection that the server has not closed meanwhile."""
        while self._free:
            if (connection := self._free.pop()).is_free:
                return connection
        return None

    async def _opened(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self._host, self._port)
        return connection

    def _give_back(self, connection: _Connection) -> None:
        """Keep a connection whose answer is whole; of any other the rest may still come."""
        if connection.is_free:
            self._free.append(connection)
        else:
            connection.abort()


@asynccontextmanager
async def connected(url: str, timeout_s: float = ANSWER_S) -> AsyncIterator[Connections]:
    """Connections for the length of a block."""
    connections = Connections(url, timeout_s)
    try:
        yield connections
    finally:
        connections.close()
        await asyncio.sleep(0)  # so that the loop sees them closed before it ends


def asker(connections: Connections, requests: Sequence[bytes]) -> Ask:
    """Return the way to send prepared requests in turn; it raises the client's errors."""

    async def ask(number: int) -> Answer:
        sent_s = time.perf_counter()
        reply = await connections.send(requests[number % len(requests)])
        if reply.status >= 400:
            raise errors.from_response(reply.as_response(), "")
        return Answer(first_byte_s=reply.first_byte_s - sent_s)

    return ask


class _Connection(asyncio.Protocol):
    """One connection with one request at a time. httptools calls the methods ``on_...``."""

    def __init__(self) -> None:
        self.is_free = True
        self._transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser
        self._reply = Reply()
        self._pieces: list[bytes] = []
        self._waiter: asyncio.Future[Reply] | None = None

    async def send(self, request: bytes) -> Reply:
        self.is_free = False
        self._parser, self._reply, self._pieces = httptools.HttpResponseParser(self), Reply(), []
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiter

    def abort(self) -> None:
        self._waiter = None
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"the answer is no HTTP: {error}")

    def connection_lost(self, error: Exception | None) -> None:
        self.is_free = False
        self._fail(f"the connection was closed: {error or 'by the server'}")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._reply.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        if not self._pieces:
            self._reply.first_byte_s = time.perf_counter()
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        self._reply.status, self._reply.body = (
            self._parser.get_status_code(),
            b"".join(self._pieces),
        )
        self._reply.first_byte_s = self._reply.first_byte_s or time.perf_counter()
        self.is_free = self._parser.should_keep_alive()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(self._reply)

    def _fail(self, message: str) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionError(message))
