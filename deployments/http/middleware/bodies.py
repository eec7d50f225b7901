"""The bodies of requests, from their first byte until the request is over: counted and timed.

A body that arrives with its head, as most do, is only counted. Any other is taken in here before
its request takes a place among those that run, so that a slow caller keeps nobody from a model.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from deployments.config.schema import Limits
from deployments.http.heap import Trimmer
from deployments.http.middleware.deadline import Ending
from models.errors import BodyTooSlow, Overloaded, TooLarge

ARRIVED = "arrived_bytes"  # in a request's state: the size of a body that came with its head
BEGAN = "began_s"  # and of any other, when its head came, on the event loop's clock
PIECE_BYTES = 65_536  # smaller pieces are put together: each has an overhead of its own
RATE_WINDOW_S = 10.0  # over which the least rate is asked
WATCH_S = 1.0  # between two looks at all bodies that arrive
YOUNG_S = 2.0  # too early to call a body slow
ROOM_BYTES = 1 << 20  # a clip: with less than that left, the server is not ready


class Body:
    """One body that arrives in parts; ``receive`` hands it to the application."""

    __slots__ = (
        "_bodies",
        "_connection",
        "_is_given",
        "_speed",
        "_window_bytes",
        "_window_s",
        "began_s",
        "ending",
        "pieces",
        "scope",
        "size_bytes",
    )

    def __init__(self, bodies: Bodies, scope: Scope, connection: Receive, now_s: float) -> None:
        self._bodies, self._connection, self.scope = bodies, connection, scope
        self.began_s = self._window_s = now_s  # the event loop's clock
        self.size_bytes = self._window_bytes = 0
        self._speed = 0.0  # in bytes a second, of the window before
        self.pieces: deque[bytes | bytearray] = deque()
        self.ending: Ending | None = None
        self._is_given = False

    async def more(self) -> bool:
        """Take the next part from the connection; whether others come behind it."""
        message = await self._connection()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        self._bodies.add(self, len(part))
        last = self.pieces[-1] if self.pieces else b""
        if isinstance(last, bytearray) and len(last) < PIECE_BYTES:
            last += part
        elif part:
            self.pieces.append(part if len(part) >= PIECE_BYTES else bytearray(part))
        return bool(message.get("more_body", False))

    async def receive(self) -> Message:
        """Return the next piece, as ASGI has it; behind the last one, what the connection says."""
        if self._is_given:
            return await self._connection()
        await asyncio.sleep(0)  # whoever reads a long body lets others in between
        piece = bytes(self.pieces.popleft()) if self.pieces else b""
        self._is_given = not self.pieces
        return {"type": "http.request", "body": piece, "more_body": not self._is_given}

    def staying_s(self, now_s: float) -> float:
        """Return how long it would take at its present speed to send what is here."""
        took_s = now_s - self._window_s
        came = self.size_bytes - self._window_bytes
        # A window that has just begun says nothing: then the one before counts.
        speed = came / took_s if took_s >= WATCH_S else self._speed
        return self.size_bytes / max(speed, 1.0)

    def is_too_slow(self, now_s: float, least_bytes_s: float) -> bool:
        """Return whether the window that ends now had less than the least rate; begin a new one."""
        took_s = now_s - self._window_s
        if took_s < RATE_WINDOW_S:
            return False
        came = self.size_bytes - self._window_bytes
        self._window_s, self._window_bytes, self._speed = now_s, self.size_bytes, came / took_s
        return came < least_bytes_s * took_s


class Bodies:
    """Count and time all bodies of one process."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held_bytes = 0
        self._trimmer = Trimmer()
        self._arriving: set[Body] = set()
        self._watch: asyncio.TimerHandle | None = None
        self._time_s = min(limits.receive_timeout_s, limits.request_timeout_s)
        is_of_body = limits.receive_timeout_s < limits.request_timeout_s
        self._late: Callable[[], Exception] = _late if is_of_body else TimeoutError

    @property
    def held_bytes(self) -> int:
        """Return the bytes that have come of all bodies whose requests are not over."""
        return self._held_bytes

    @property
    def arriving(self) -> int:
        """Return how many bodies have not come to their end."""
        return len(self._arriving)

    def why_not_ready(self) -> str | None:
        """Return why a probe is told not to send requests; None: it may."""
        left = self._limits.max_bodies_bytes - self._held_bytes
        return "the bodies of requests fill their memory" if left < ROOM_BYTES else None

    def take(self, size_bytes: int) -> None:
        """Count a body that came with its head; ``give_back`` is called when its request is over.

        Raises:
            TooLarge: it has more bytes than a body may have.
            Overloaded: there is no room.
        """
        if size_bytes:
            self._check_size(size_bytes)
            self._make_room(size_bytes)
            self._held_bytes += size_bytes

    def give_back(self, size_bytes: int) -> None:
        self._held_bytes -= size_bytes

    @contextmanager
    def expected(self, scope: Scope, receive: Receive, announced: int) -> Iterator[Body]:
        """Expect a body that is still to arrive, for the length of its request.

        Args:
            scope: of the request.
            receive: gives the body's parts.
            announced: its length, or 0.

        Raises:
            TooLarge: more is announced than a body may have.
            Overloaded: there is no room, or as many as may be are sent already.
        """
        self._check_size(announced)
        self._make_room(announced)
        if len(self._arriving) >= self._limits.max_receiving:
            self._evict("too many requests are being sent at once")
        began_s = asyncio.get_running_loop().time()
        scope.setdefault("state", {})[BEGAN] = began_s
        body = Body(self, scope, receive, began_s)
        try:
            yield body
        finally:
            self.let_go(body)

    async def take_in(self, body: Body) -> None:
        """Wait until all of a body is here.

        Raises:
            ClientDisconnect: the caller left.
            BodyTooSlow: it came slower than it must.
            TooLarge: it has more bytes than a body may have.
            Overloaded: there is no room, or it was the slowest when others needed some.
        """
        self._arriving.add(body)
        self._watch_them()
        try:
            with Ending(body.scope, self._time_s, self._late) as body.ending:
                while await body.more():
                    pass
        finally:
            self._arriving.discard(body)

    def add(self, body: Body, size_bytes: int) -> None:
        """Count bytes that arrived. Raises TooLarge or Overloaded, see ``take_in``."""
        self._check_size(body.size_bytes + size_bytes)
        self._make_room(size_bytes)
        body.size_bytes += size_bytes
        self._held_bytes += size_bytes

    def let_go(self, body: Body) -> None:
        """Free a body, whatever still holds the request."""
        self._held_bytes -= body.size_bytes
        self._trimmer.freed(body.size_bytes)
        body.size_bytes = 0
        body.pieces.clear()

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._limits.max_body_bytes:
            message = f"the body must have at most {self._limits.max_body_bytes} bytes"
            raise TooLarge(message, param="body")

    def _make_room(self, size_bytes: int) -> None:
        while self._held_bytes + size_bytes > self._limits.max_bodies_bytes:
            self._evict("there is no room for the bodies of so many requests at once")

    def _evict(self, why: str) -> None:
        """End the request whose body is the slowest for what it holds. Raises Overloaded: none."""
        now_s = asyncio.get_running_loop().time()
        slowest = max(
            (body for body in self._arriving if now_s - body.began_s > YOUNG_S),
            key=lambda body: body.staying_s(now_s),
            default=None,
        )
        if slowest is None or slowest.ending is None:
            raise Overloaded(why)
        self._end(slowest, Overloaded(f"{why}, and this one was the slowest"))

    def _end(self, body: Body, error: Exception) -> None:
        self._arriving.discard(body)
        self.let_go(body)
        if body.ending is not None:
            body.ending.now(error)

    def _watch_them(self) -> None:
        """Look at all that arrive, again and again while there are any."""
        if self._watch is None:
            self._watch = asyncio.get_running_loop().call_later(WATCH_S, self._look)

    def _look(self) -> None:
        self._watch = None
        least = self._limits.min_receive_bytes_s
        now_s = asyncio.get_running_loop().time()
        for body in [each for each in self._arriving if each.is_too_slow(now_s, least)]:
            message = f"a body must come at {least:g} bytes a second at least"
            self._end(body, BodyTooSlow(message, param="body"))
        if self._arriving:
            self._watch_them()


def _late() -> Exception:
    return BodyTooSlow("the body took longer than this server gives one", param="body")
