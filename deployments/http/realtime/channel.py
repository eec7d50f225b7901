"""One WebSocket of JSON events: what is sent waits for its reader, within a bound of bytes."""

from __future__ import annotations

import asyncio
import json
import math
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.types import Receive, Scope, Send

from deployments.http.errors import error_body
from deployments.http.field_errors import MAX_ECHO_CHARS
from deployments.http.middleware.access import PROTOCOL
from deployments.http.middleware.errors import STARTED
from models.errors import DragomanError, InvalidRequest

MAX_EVENT_BYTES = 15 << 20  # the bound of OpenAI's own service
MAX_ID_CHARS = 512
MAX_PARTS = 10_000  # of an event's JSON: an array of millions takes many times its text
STEP_BYTES = 1 << 20  # of a long event that are worked on before others have their turn
DRAIN_S = 5.0  # in which a reader takes a part of what is left before the socket is closed
MAX_DRAIN_S = 60.0  # for it to take all of that
GONE = (OSError, RuntimeError)  # what a listener raises for a caller who has left


class BadEvent(Exception):
    """Something that a client sent is no event; the id is the one that it has all the same."""

    def __init__(self, message: str, param: str | None = None, event_id: str | None = None) -> None:
        super().__init__(message)
        self.error = InvalidRequest(message, param=param)
        self.event_id = event_id


@dataclass(frozen=True, slots=True)
class ClientEvent:
    """An event of a client: its type, its id for errors, and all of it."""

    type: str
    id: str | None
    fields: dict[str, Any]


class Channel:
    """Speak over one WebSocket. ``tell`` never waits; a reader who falls behind is told to leave.

    Attributes:
        too_slow: set once more than ``max_unread_bytes`` wait for the reader.
        gone: set once something could not be sent.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_unread_bytes: int) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._max_unread_bytes = max_unread_bytes
        self._waiting: deque[str] = deque()
        self._unread_bytes = 0
        self._told = 0
        self._news = asyncio.Event()
        self._all_sent = asyncio.Event()
        self._all_sent.set()
        self._sending: asyncio.Task[None] | None = None
        self.too_slow, self.gone = asyncio.Event(), asyncio.Event()

    async def accept(self) -> None:
        """Open the socket; the key's own subprotocol is never the one that is chosen."""
        offered = PROTOCOL in self._scope.get("subprotocols", ())
        self._scope[STARTED] = True
        await self._receive()  # websocket.connect
        subprotocol = {"subprotocol": PROTOCOL} if offered else {}
        await self._send({"type": "websocket.accept", **subprotocol})
        self._sending = asyncio.create_task(self._send_all())

    # ---- what is received ----------------------------------------------------------------

    async def events(self) -> AsyncGenerator[ClientEvent]:
        """Yield what the client sends, until it leaves; what is no event is answered with why."""
        while True:
            try:
                event = await self._event()
            except BadEvent as bad:
                self.refuse(bad.error, bad.event_id)
            else:
                if event is None:
                    return
                yield event
            await asyncio.sleep(0)  # many small events that came at once keep nobody waiting

    async def _event(self) -> ClientEvent | None:
        """Return the next event; None: the client has left. Raises BadEvent."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return None
        text = message.pop("text", None)
        if text is None:
            raise BadEvent("an event must be a text frame of JSON: audio goes in it as base64")
        await _check_parts(text)
        return _event(text)

    # ---- what is sent --------------------------------------------------------------------

    def tell(self, kind: str, /, **fields: Any) -> None:
        """Send an event, once those before it are sent."""
        if self.too_slow.is_set():
            return
        self._told += 1
        text = json.dumps({"type": kind, "event_id": f"event_{self._told}", **fields})
        self._unread_bytes += len(text)
        if self._unread_bytes > self._max_unread_bytes:
            self._waiting.clear()
            self.too_slow.set()
            return
        self._waiting.append(text)
        self._all_sent.clear()
        self._news.set()

    def refuse(self, error: DragomanError, event_id: str | None) -> None:
        """Send an ``error``, with the id of the client's event that caused it."""
        self.tell("error", error={**error_body(error)["error"], "event_id": event_id})

    async def close(self, code: int, reason: str = "", until: float = math.inf) -> None:
        """Close the socket behind all that was told, as long as the reader goes on taking it.

        ``until``: when it is closed at the latest, on the event loop's clock.
        """
        assert self._sending is not None
        await self._drain(min(until, asyncio.get_running_loop().time() + MAX_DRAIN_S))
        self._sending.cancel()
        with suppress(*GONE):  # the caller was quicker
            await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def _drain(self, until: float) -> None:
        """Wait until all is sent, the reader takes nothing any more, or it is too late."""
        ends = [asyncio.create_task(e.wait()) for e in (self._all_sent, self.gone, self.too_slow)]
        unread_bytes, left_s = math.inf, DRAIN_S
        while self._unread_bytes < unread_bytes and left_s > 0:
            unread_bytes = self._unread_bytes
            left_s = min(DRAIN_S, until - asyncio.get_running_loop().time())
            done, _ = await asyncio.wait(
                ends, timeout=max(0.0, left_s), return_when=asyncio.FIRST_COMPLETED
            )
            if done:
                break
        for task in ends:
            task.cancel()

    async def _send_all(self) -> None:
        while True:
            while self._waiting:
                text = self._waiting.popleft()
                try:
                    await self._send({"type": "websocket.send", "text": text})
                except GONE:
                    self.gone.set()
                    return
                self._unread_bytes -= len(text)
            self._all_sent.set()
            self._news.clear()
            await self._news.wait()


async def _check_parts(text: str) -> None:
    """Raise BadEvent for too many parts."""
    parts = 0
    for start in range(0, len(text), STEP_BYTES):
        if start:
            await asyncio.sleep(0)
        parts += sum(text.count(mark, start, start + STEP_BYTES) for mark in ",[{")
        if parts > MAX_PARTS:
            raise BadEvent(f"an event must have at most {MAX_PARTS} parts")


def _event(text: str) -> ClientEvent:
    """Read a text as an event. Raises BadEvent: it is none."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadEvent(f"an event must be JSON: {str(error)[:MAX_ECHO_CHARS]}") from error
    if not isinstance(fields, dict):
        raise BadEvent("an event must be a JSON object")
    kind, event_id = fields.get("type"), fields.get("event_id")
    if event_id is not None and not (isinstance(event_id, str) and len(event_id) <= MAX_ID_CHARS):
        told = f"event_id must be a string of at most {MAX_ID_CHARS} characters"
        raise BadEvent(told, "event_id")
    if not isinstance(kind, str):
        raise BadEvent("type must be a string, such as session.update", "type", event_id)
    if len(text) > MAX_EVENT_BYTES:
        raise BadEvent(f"an event must have at most {MAX_EVENT_BYTES} bytes", "audio", event_id)
    return ClientEvent(kind, event_id, fields)
