"""One WebSocket: uvicorn's, with bounds on what it holds, and with patience for a busy caller."""

from __future__ import annotations

import asyncio
import socket
from asyncio import BaseTransport
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame

MAX_MESSAGE_BYTES = 16 << 20  # an event has at most 15 MiB; a longer one is refused in words
MAX_HELD_BYTES = 256 << 20  # of messages that arrive or wait, on all connections of the process
MAX_PONG_BYTES = 1 << 16  # of answers to pings that the caller has not taken
PING_S = 20.0  # between two looks whether the caller is still there, and for its answer
FAIR_BYTES = 1 << 20  # that a connection may hold, however many the others do
RECEIVE_BUFFER_BYTES = 64 << 10  # of the kernel: what waits there hides a ping, and that it left
CLOSE_S = 10.0  # for the caller to take a part of what is left, or to close
MAX_CLOSE_STEPS = 6  # of that time
NO_ROOM = "this server holds as many bytes of messages as it may"


class Held(ServerState):
    """Count the bytes of messages that all connections of a server hold."""

    def __init__(self) -> None:
        super().__init__()
        self.held_bytes = 0


class WebSocket(WebSocketsSansIOProtocol):
    """Bound a connection in memory; a peer that sends counts as being there.

    A message in pieces is put together as they come: a list of a million pieces of one byte
    takes forty times their bytes.
    """

    _of_state: Held
    _held_bytes = 0  # of this connection, in the count of all
    _waiting_bytes = 0  # of messages that the application has not done with
    _taken_bytes = 0  # of the one that it works on
    _heard_at = 0.0
    _end_timer: asyncio.TimerHandle | None = None

    def __init__(self, config: Any, server_state: ServerState, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, server_state, *args, **kwargs)
        assert isinstance(server_state, Held)
        self._of_state = server_state

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        found = transport.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._of_state.held_bytes -= self._held_bytes
        self._held_bytes = 0
        if self._end_timer is not None:
            self._end_timer.cancel()

    # ---- what is received ----------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_complete:
            self._refuse_handshake()
        self._count()
        is_full = self._of_state.held_bytes > MAX_HELD_BYTES and self._held_bytes > FAIR_BYTES
        if is_full and not self.close_sent:
            self._fail(1013, NO_ROOM)

    def _refuse_handshake(self) -> None:
        """Send what websockets answers to a head that it does not take; uvicorn leaves it lying."""
        self.handshake_complete = self.close_sent = True
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()

    def handle_cont(self, event: Frame) -> None:
        first: bytes | bytearray = self.frames[0]
        whole = first if isinstance(first, bytearray) else bytearray(first)
        whole += event.data
        self.frames = [whole]  # type: ignore[list-item]
        if event.fin:
            self.send_receive_event_to_app()

    def send_receive_event_to_app(self) -> None:
        if not self.close_sent:
            self._waiting_bytes += sum(map(len, self.frames))
        super().send_receive_event_to_app()

    async def receive(self) -> Any:
        self._waiting_bytes -= self._taken_bytes  # it asks for the next one: that one is done
        self._taken_bytes = 0
        if not self.disconnected:
            self._count()
        message = await super().receive()
        if message["type"] == "websocket.receive":
            text, data = message.get("text"), message.get("bytes")
            # In UTF-8, as it was counted: most texts are ASCII, whose length is known at once.
            if text is not None:
                self._taken_bytes = len(text) if text.isascii() else len(text.encode())
            else:
                self._taken_bytes = len(data or b"")
        return message

    def _count(self) -> None:
        now = len(self.conn.reader.buffer) + sum(map(len, self.frames)) + self._waiting_bytes
        self._of_state.held_bytes += now - self._held_bytes
        self._held_bytes = now

    # ---- whether the caller is there -----------------------------------------------------

    def handle_ping(self) -> None:
        if self.transport.get_write_buffer_size() > MAX_PONG_BYTES:
            self.conn.data_to_send()  # a caller that takes no answers needs none
        else:
            super().handle_ping()

    def keepalive_timeout(self) -> None:
        """Close, unless the caller has sent something, or its answer waits behind what it sent."""
        if self.read_paused or self._heard_at > self.ping_sent_at:
            self.pong_timer = self.pending_ping_payload = None
            self.schedule_ping()
        else:
            super().keepalive_timeout()
            self._abort_later()

    # ---- the end -------------------------------------------------------------------------

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.close":
            self.writable.set()  # a last frame is small, and nothing comes behind it
        await super().send(message)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        self._abort_later()

    def shutdown(self) -> None:
        super().shutdown()
        self._abort_later()

    def _fail(self, code: int, reason: str) -> None:
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.fail(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()

    def _abort_later(self) -> None:
        """Bound how long what is left waits for a caller that does not take it."""
        if not self.disconnected and self._end_timer is None:
            self._await_end(MAX_CLOSE_STEPS)

    def _await_end(self, steps: int) -> None:
        left = self.transport.get_write_buffer_size()
        self._end_timer = self.loop.call_later(CLOSE_S, self._end, left, steps - 1)

    def _end(self, left_before: int, steps: int) -> None:
        if steps and self.transport.get_write_buffer_size() < left_before:
            self._await_end(steps)
        else:
            self.transport.abort()
