"""The outermost layer: each request has an id, in its answer, its log lines and its trace."""

from __future__ import annotations

import itertools
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.http.middleware.admission import is_probe
from deployments.telemetry import tracing
from deployments.telemetry.log import request_ids

REQUEST_ID_HEADER = b"x-request-id"
STARTS = ("http.response.start", "websocket.accept", "websocket.http.response.start")
# An id of this process and a number: a UUID for each request takes several microseconds.
ID_PREFIX, _numbers = uuid.uuid4().hex.encode(), itertools.count(1)


class RequestIds:
    """Give each request its caller's id or a new one, and open its trace."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            scope["method"] = "GET"  # of its handshake, by which it is let in and traced
        request_id, send = _with_request_id(scope, send)
        outer = request_ids.set({"request_id": request_id})
        try:
            if not tracing.is_on() or is_probe(scope["path"]):
                await self._app(scope, receive, send)
            else:
                with tracing.request(scope, request_id, send) as noting:
                    await self._app(scope, receive, noting)
        finally:
            request_ids.reset(outer)


def _with_request_id(scope: Scope, send: Send) -> tuple[str, Send]:
    """Return the request's id, and a ``send`` that puts it on the answer."""
    sent = None
    for name, value in scope["headers"]:
        if name == REQUEST_ID_HEADER:
            sent = value
            break
    if sent is None:
        sent = b"%s-%x" % (ID_PREFIX, next(_numbers))
        scope["headers"] = [*scope["headers"], (REQUEST_ID_HEADER, sent)]

    async def send_with_id(message: Message) -> None:
        if message["type"] in STARTS:
            message["headers"] = [*message.get("headers", ()), (REQUEST_ID_HEADER, sent)]
        await send(message)

    return sent.decode("latin-1"), send_with_id
