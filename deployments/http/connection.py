"""One HTTP connection: what a caller sends beside bodies is bounded, in bytes and in time."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Sized

from starlette.types import ASGIApp
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from deployments.http.middleware.bodies import ARRIVED
from deployments.http.middleware.deadline import leave
from deployments.http.websocket import Held

# The parser has no limits of its own, and joins a header that comes in pieces anew for each.
MAX_HEAD_BYTES = 65_536  # of a request's first line and headers, a chunk's first line, a trailer
MAX_HEADERS = 256  # of a head, and of a trailer
MAX_FRAMING_BYTES = 1 << 20  # of a chunked body: what its chunks' first lines have beside lengths
FREE_CHUNKS, MEAN_CHUNK_BYTES = 65_536, 256  # so many of any size; more must be so large on average
FRAME_BYTES = 8  # of a chunk of usual size: its length and the ends of two lines
MAX_WAITING = 512  # requests of one connection that are sent before others are answered
LINGER_S = 10.0  # for the rest of a body that was answered already
LEAST_READ_BYTES_S = 1_000  # that a caller takes of its answer
OTHER_FILES = 512  # that the process opens beside connections: without them no batch leaves
BETWEEN, HEAD, BODY = range(3)  # where in a message a connection is


class Accepted(Held):
    """Count the server's connections, and bound how many there are at once."""

    def __init__(self) -> None:
        super().__init__()
        self.accepted = 0
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.most = max(1, files - OTHER_FILES)


class OneByOne(FlowControl):
    """Read nothing more while a request waits for the answer to one before it."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()


class Refused(Exception):
    """Stop the parser; the message is the answer."""


class Connection(HttpToolsProtocol):
    """End the request of a client that leaves, at once.

    What has no end yet, a head, a chunk's first line or a trailer, is no longer than all that came
    since the parser last told of anything. So that is what is counted, piece by piece.
    """

    _at = BETWEEN
    _open_bytes = 0  # that may belong to what has no end yet
    _untold_bytes = 0  # of the piece that is parsed: what the parser has not told of
    _has_ended = False  # a message, in this piece
    _body_bytes = _chunks = _framing_bytes = 0  # of this message
    _running: RequestResponseCycle | None = None
    _why: str | None = None  # what is received is refused
    _head_timer: asyncio.TimerHandle | None = None  # for a first head, or one that is in parts
    _rest_timer: asyncio.TimerHandle | None = None  # for the rest of a body
    _reader_timer: asyncio.TimerHandle | None = None  # for an answer that is not taken

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = OneByOne(transport, self.pipeline)
        assert isinstance(self.server_state, Accepted)
        self.server_state.accepted += 1
        self._wait_for_a_head()
        if len(self.connections) > self.server_state.most:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._head_timer, self._rest_timer, self._reader_timer):
            if timer is not None:
                timer.cancel()
        self.pipeline.clear()
        if self.cycle is not None:
            self.cycle.body = bytearray()
        running = self._running
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
            leave(running.scope["state"])

    # ---- what is received ----------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        was_at, self._has_ended = self._at, False
        self._untold_bytes = len(data)
        super().data_received(data)
        if self._has_ended and self._at == BETWEEN:
            return  # most pieces are a whole request
        untold = max(0, self._untold_bytes)
        self._open_bytes += untold
        if self._at == BODY:
            self._framing_bytes += untold if was_at == BODY else 0
        elif self._at == HEAD or self._is_at_rest():
            self._wait_for_a_head()
        if not self.transport.is_closing():
            self._check_bounds()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._at = HEAD

    def on_headers_complete(self) -> None:
        may_be_long = self._open_bytes + self._untold_bytes > MAX_HEAD_BYTES
        if may_be_long or self._has_ended or len(self.headers) > MAX_HEADERS:
            self._untold_bytes -= self._head_bytes()
        if len(self.pipeline) >= MAX_WAITING:
            raise self._refused(f"at most {MAX_WAITING} requests may wait on a connection")
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        self._at = BODY
        self._open_bytes = self._body_bytes = self._chunks = self._framing_bytes = 0
        super().on_headers_complete()
        if not self.parser.should_upgrade():
            self.headers = []  # a trailer is no part of the head: it is counted and dropped

    def on_body(self, body: bytes) -> None:
        self._open_bytes = 0
        self._untold_bytes -= len(body)
        self._body_bytes += len(body)
        super().on_body(body)

    def on_chunk_header(self) -> None:
        self._open_bytes = 0
        self._untold_bytes -= FRAME_BYTES
        self._chunks += 1
        if self._chunks > FREE_CHUNKS + self._body_bytes // MEAN_CHUNK_BYTES:
            raise self._refused(f"chunks must have {MEAN_CHUNK_BYTES} bytes on average at least")

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over, unless a request before it still waits for its answer."""
        if self._is_at_rest():
            super().handle_websocket_upgrade()
        else:
            self.send_400_response("a WebSocket must be the first request of a connection")

    def on_message_complete(self) -> None:
        self._at, self._has_ended, self._open_bytes = BETWEEN, True, 0
        cycle = self.cycle
        if cycle is not None and cycle.scope is self.scope:
            cycle.scope["state"][ARRIVED] = len(cycle.body)
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None
        super().on_message_complete()
        if self.flow.read_paused:  # by a large last piece: nobody would see the caller leave
            self.flow.resume_reading()
        if self._is_at_rest() and not self.parser.should_upgrade():
            self._wait_for_a_head()

    def _head_bytes(self) -> int:
        """Return the length of a head that has ended. Raises Refused: it is too long."""
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > MAX_HEAD_BYTES or len(self.headers) > MAX_HEADERS:
            raise self._refused(HEAD_LIMITS)
        return size

    def _check_bounds(self) -> None:
        """Refuse what has no end and is too long already."""
        too_many = self._at != BETWEEN and len(self.headers) > MAX_HEADERS
        if self._open_bytes > MAX_HEAD_BYTES or too_many:
            self.send_400_response(HEAD_LIMITS)
        elif self._framing_bytes > MAX_FRAMING_BYTES:
            self.send_400_response(f"chunks may have {MAX_FRAMING_BYTES} bytes of extensions")

    def _refused(self, why: str) -> Refused:
        self._why = why
        return Refused(why)

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong and close; only close where another answer is to come first."""
        running = self._running
        if running is None or running.response_complete or self._is_refusable(running):
            super().send_400_response(self._why or msg)
        else:
            self.transport.close()

    def _is_refusable(self, running: RequestResponseCycle) -> bool:
        """Return whether the running request itself still arrives and has no answer so far."""
        return self._at == BODY and running is self.cycle and not running.response_started

    # ---- time --------------------------------------------------------------------------

    def _wait_for_a_head(self) -> None:
        """Bound the wait for a head: uvicorn does so for later requests, but not for the first."""
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _is_at_rest(self) -> bool:
        """Return whether every request has been answered; line ends may come all the same."""
        done = self.cycle is None or self.cycle.response_complete
        return done and self._at == BETWEEN

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:  # type: ignore[override]
        self._running = cycle
        super()._start_asgi_task(cycle, app)  # type: ignore[arg-type]

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self.flow.read_paused:  # the last that waited may run now
            self.flow.resume_reading()
        if self.cycle.response_complete:
            self.cycle.body = bytearray()
            if self._at == BODY:
                self._rest_timer = self.loop.call_later(LINGER_S, self.timeout_keep_alive_handler)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_the_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None

    def _watch_the_reader(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._reader_timer = self.loop.call_later(
            self.timeout_keep_alive, self._look_at_the_reader, left
        )

    def _look_at_the_reader(self, left_before: int) -> None:
        """Give up an answer that its caller hardly takes: it would stay in memory for ever."""
        taken = left_before - self.transport.get_write_buffer_size()
        if taken < LEAST_READ_BYTES_S * self.timeout_keep_alive:
            self.transport.abort()
        else:
            self._watch_the_reader()


HEAD_LIMITS = (
    f"a head or trailer must have at most {MAX_HEAD_BYTES} bytes and {MAX_HEADERS} headers"
)
