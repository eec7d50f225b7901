"""Answers that are sent while they are made: bare pieces, or server-sent events."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from deployments.http.errors import as_ours, error_body
from deployments.http.middleware.errors import STARTED
from deployments.telemetry import tracing

EVENTS = "text/event-stream"
# So that what stands between passes each piece on at once: caches, and nginx's buffers.
DONE = b"data: [DONE]\n\n"  # OpenAI's last event of an answer that is whole
UNBUFFERED = {"cache-control": "no-cache", "x-accel-buffering": "no"}


class StreamedResponse(Response):
    """Send an answer in pieces. The first is there already: until then errors have their status.

    An error on the way breaks the connection off, so that nobody takes what came for the whole;
    a caller that leaves ends the request, and with it the making.
    """

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes], media_type: str) -> None:
        self.status_code, self.media_type, self.background = 200, media_type, None
        self._first, self._rest = first, rest
        self.init_headers(UNBUFFERED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[STARTED] = True
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        async with aclosing(self._rest) as rest:
            await send(start)
            await send(_body(self._first))
            async for piece in rest:
                await send(_body(piece))
        await send(_body(b"", more=False))


def _body(piece: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": more}


async def events(
    bodies: AsyncGenerator[Mapping[str, Any]], request_id: str, *, end: bytes = b""
) -> AsyncGenerator[bytes]:
    """Make a server-sent event of each body, and ``end`` behind them.

    An error behind the first event is the last one; before that it is raised.
    """
    begun = False
    try:
        async with aclosing(bodies):
            async for body in bodies:
                yield event(body)
                begun = True
    except Exception as error:
        if not begun:
            raise
        ours = as_ours(error, request_id)
        tracing.failed(ours, error)
        last = event(error_body(ours))
        del ours  # its traceback holds this frame: no cycle
        yield last
    else:
        if end:
            yield end


async def speech_bodies(
    pieces: AsyncGenerator[bytes], done: Callable[[], Mapping[str, Any]]
) -> AsyncGenerator[Mapping[str, Any]]:
    """Make a ``speech.audio.delta`` of each piece, then ``speech.audio.done`` with ``done()``."""
    async with aclosing(pieces):
        async for piece in pieces:
            yield {"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()}
    yield {"type": "speech.audio.done", **done()}


def event(body: Mapping[str, Any]) -> bytes:
    """Return one server-sent event, in ASCII."""
    return f"data: {json.dumps(body)}\n\n".encode()
