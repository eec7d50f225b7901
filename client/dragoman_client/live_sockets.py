"""Open WebSockets for live sessions, blocking and for asyncio, with httpx's errors."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from .errors import MissingPackage

MAX_MESSAGE_BYTES = 16 << 20
CLOSE_S = 5.0  # to wait for the other side's closing
ABORTED = 1001  # this side goes away before the end


class Refused(Exception):
    """The server answered the handshake with an error."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class SocketClosed(Exception):
    """The connection is closed; the message says by which code and why."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(" ".join(filter(None, (f"code {code or 1006}", reason))))
        self.code = code


def websocket_url(base: httpx.URL, path: str, query: dict[str, str]) -> httpx.URL:
    """Return the address of a WebSocket beside the API's others."""
    scheme = "wss" if base.scheme == "https" else "ws"
    return base.copy_with(scheme=scheme, path=base.path.rstrip("/") + path, params=query)


class AsyncSocket:
    """A WebSocket for asyncio."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, request: httpx.Request) -> AsyncSocket:
        """Shake hands. Raise Refused, or httpx.TransportError."""
        websockets = _websockets()
        from websockets.asyncio.client import connect

        try:
            return cls(await connect(str(request.url), **_options(request)))
        except websockets.InvalidStatus as error:
            raise _refused(error, request) from None
        except TimeoutError as error:
            raise httpx.ConnectTimeout(str(error)) from error
        except (OSError, websockets.WebSocketException) as error:
            raise httpx.ConnectError(str(error) or type(error).__name__) from error

    async def send(self, text: str) -> None:
        """Send a text message. Raise SocketClosed."""
        websockets = _websockets()
        try:
            await self._connection.send(text)
        except websockets.ConnectionClosed as error:
            raise _closed(error) from error

    async def receive(self, timeout_s: float | None) -> str | bytes:
        """Return the next message. Raise SocketClosed, or TimeoutError."""
        websockets = _websockets()
        try:
            async with asyncio.timeout(timeout_s):
                message: str | bytes = await self._connection.recv()
        except websockets.ConnectionClosed as error:
            raise _closed(error) from error
        return message

    async def close(self, code: int = 1000) -> None:
        await self._connection.close(code)


class Socket:
    """A WebSocket that blocks. One thread may send while another receives."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @classmethod
    def open(cls, request: httpx.Request) -> Socket:
        """Shake hands. Raise Refused, or httpx.TransportError."""
        websockets = _websockets()
        from websockets.sync.client import connect

        try:
            # The library wants its ``with``, whose end only closes the connection.
            return cls(connect(str(request.url), **_options(request)).__enter__())
        except websockets.InvalidStatus as error:
            raise _refused(error, request) from None
        except TimeoutError as error:
            raise httpx.ConnectTimeout(str(error)) from error
        except (OSError, websockets.WebSocketException) as error:
            raise httpx.ConnectError(str(error) or type(error).__name__) from error

    def send(self, text: str) -> None:
        """Send a text message. Raise SocketClosed."""
        websockets = _websockets()
        try:
            self._connection.send(text)
        except websockets.ConnectionClosed as error:
            raise _closed(error) from error

    def receive(self, timeout_s: float | None) -> str | bytes:
        """Return the next message. Raise SocketClosed, or TimeoutError."""
        websockets = _websockets()
        try:
            message: str | bytes = self._connection.recv(timeout_s)
        except websockets.ConnectionClosed as error:
            raise _closed(error) from error
        return message

    def close(self, code: int = 1000) -> None:
        self._connection.close(code)


def _websockets() -> Any:
    try:
        import websockets
        import websockets.exceptions
    except ImportError:
        raise MissingPackage("a live session", "websockets", "live") from None
    return websockets.exceptions


def _options(request: httpx.Request) -> dict[str, Any]:
    """Return the arguments that both colours of ``connect`` take."""
    skipped = {"host", "connection", "accept-encoding", "user-agent", "accept", "content-length"}
    return {
        "additional_headers": [
            (name, value) for name, value in request.headers.items() if name not in skipped
        ],
        "user_agent_header": request.headers.get("user-agent"),
        "open_timeout": request.extensions["timeout"]["connect"],
        "close_timeout": CLOSE_S,
        "max_size": MAX_MESSAGE_BYTES,
        "compression": None,  # base64 of PCM hardly shrinks
    }


def _refused(error: Any, request: httpx.Request) -> Refused:
    answer = error.response
    headers = [(name, value) for name, value in answer.headers.raw_items()]
    content = bytes(answer.body or b"")
    return Refused(
        httpx.Response(answer.status_code, headers=headers, content=content, request=request)
    )


def _closed(error: Any) -> SocketClosed:
    frame = error.rcvd
    return SocketClosed(frame.code if frame else None, frame.reason if frame else "")
