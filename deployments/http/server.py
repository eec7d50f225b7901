"""The HTTP listener of an ingress replica: uvicorn on the server's own port, in the replica itself.

Serve's proxy, or its HAProxy with Serve's wrapper behind it, costs a request more than all of the
ingress' own work. So each ingress replica listens on the public port; replicas on one machine
share it (SO_REUSEPORT), and the kernel spreads connections over them.
"""

from __future__ import annotations

import asyncio
import socket
import struct

import uvicorn
from starlette.types import ASGIApp

from deployments.config.schema import address_family
from deployments.config.security import Tls
from deployments.http.connection import Accepted, Connection
from deployments.http.middleware.admission import Admission
from deployments.http.websocket import MAX_MESSAGE_BYTES, PING_S, WebSocket

BACKLOG = 2048  # connections that wait to be accepted
TCP_INFO_QUEUE = struct.Struct("24xI")  # of a listening socket: how many wait to be accepted


class Listener:
    """Serve an ASGI application on one address, on the event loop that starts it."""

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
                ws=WebSocket,
                ws_max_size=MAX_MESSAGE_BYTES,
                ws_ping_interval=PING_S,
                ws_ping_timeout=PING_S,
                ws_per_message_deflate=False,  # a small frame could become a large message
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
        self._state = self._server.server_state = Accepted()
        self._serving: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None
        self._is_stopping = False
        self._accepted_before: int | None = None  # when some waited to be accepted

    @property
    def is_listening(self) -> bool:
        return self._serving is not None

    def start(self) -> None:
        """Take connections from now on.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._socket = listening_socket(*self._address)
        self._serving = asyncio.get_running_loop().create_task(self._server.serve([self._socket]))

    def check(self) -> None:
        """Look whether connections are taken; cheap enough for every few seconds.

        Raises:
            RuntimeError: nobody can connect, or nobody was accepted from this look's predecessor to
                this one, though some waited.
        """
        if self._socket is None or self._serving is None:
            raise RuntimeError("the listener was not started")
        if self._is_stopping:
            return  # it stops, as it should
        if self._serving.done():
            raise RuntimeError("the listener has ended")
        try:
            listens = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_QUEUE.size)
        except OSError as error:
            raise RuntimeError(f"the listener's socket is closed: {error}") from error
        if not listens:
            raise RuntimeError("the listener's socket does not listen")
        (waiting,) = TCP_INFO_QUEUE.unpack(info)
        before, now = self._accepted_before, self._state.accepted
        self._accepted_before = now if waiting else None
        if waiting and before == now:
            raise RuntimeError(f"{waiting} connections wait, and none is accepted")

    async def stop(self, admission: Admission, within_s: float) -> None:
        """Take no more connections; returns when every answer has been sent.

        Live sessions have ``within_s`` to flush, unless a drain has ended them before.
        """
        self._is_stopping = True
        if self._server.started and not admission.draining:
            for server in self._server.servers:
                server.close()
            await admission.drain(within_s)
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving


def listening_socket(host: str, port: int) -> socket.socket:
    """Open a socket that shares its port with those of other ingress replicas."""
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
