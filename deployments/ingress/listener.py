"""The HTTP listener of an ingress replica: uvicorn on the server's own port, in the replica itself.

Serve's proxy, or its HAProxy with Serve's wrapper behind it, costs a request more than all of the
ingress' own work. So each ingress replica listens on the public port; replicas on one machine
share it (SO_REUSEPORT), and the kernel spreads connections over them.
"""

from __future__ import annotations

import asyncio
import socket

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from deployments.config import address_family
from deployments.ingress.gate import leave
from deployments.security import Tls

BACKLOG = 2048  # connections that wait to be accepted
MAX_HEAD_BYTES = 65_536  # of a request's first line and headers; the parser itself has no limit


class Connection(HttpToolsProtocol):
    """One connection. When a client leaves, its request ends at once."""

    _head_bytes: int | None = None  # of the head that is arriving; None: none is
    _head_timer: asyncio.TimerHandle | None = None  # for a first head, or one that is in parts

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_a_head()

    def _wait_for_a_head(self) -> None:
        """Not for ever: uvicorn itself waits so long for another request, but not for the first."""
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_bytes is not None:
            self._wait_for_a_head()
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response(f"a request's head must have at most {MAX_HEAD_BYTES} bytes")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._head_timer is not None:
            self._head_timer.cancel()
        if self.cycle is not None and not self.cycle.response_complete:
            leave(self.cycle.scope["state"])


class Listener:
    """Serves an ASGI application on one address, on the event loop that starts it."""

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        keep_alive_timeout_s: int,
        tls: Tls | None = None,
    ) -> None:
        self._address = (host, port)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=Connection,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=keep_alive_timeout_s,
                ssl_certfile=tls.certificate if tls else None,
                ssl_keyfile=tls.key if tls else None,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    @property
    def is_listening(self) -> bool:
        return self._serving is not None

    def start(self) -> None:
        """Take connections from now on.

        Raises:
            OSError: the address cannot be listened on.
        """
        listening = listening_socket(*self._address)
        self._serving = asyncio.get_running_loop().create_task(self._server.serve([listening]))

    async def stop(self) -> None:
        """Take no more connections; returns when every answer has been sent."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that shares its port with those of other ingress replicas."""
    listening = socket.socket(address_family(host), socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening
