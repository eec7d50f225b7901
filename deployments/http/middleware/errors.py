"""What stands before every endpoint: admission, body cap, request id, and one table of errors."""

from __future__ import annotations

import asyncio
import itertools
import json
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.config.schema import Limits
from deployments.http.middleware.admission import Admission
from deployments.http.middleware.bodies import ARRIVED, Bodies
from deployments.http.middleware.deadline import Ending, forget_frames
from deployments.http.triton import errors as oip_errors
from deployments.telemetry import tracing
from deployments.telemetry.log import logger, printable, request_ids
from models.errors import (
    BodyTooSlow,
    DeadlinePassed,
    DragomanError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
)

REQUEST_ID_HEADER = b"x-request-id"
# Of requests without an id: of this process, and a number. A UUID for each takes 8 us.
ID_PREFIX, _numbers = uuid.uuid4().hex.encode(), itertools.count(1)
# Answered also under overload and while draining.
PROBES = ("/health/", "/v2/health/", "/metrics")
MODEL_PROBES = ("/ready", "/stats")  # the ends of paths of models that are probes, too
OIP = "/v2"  # what begins so is answered in Triton's words
STARTED = "dragoman.started"  # in the scope of a request whose answer is sent while it is made
NOTHING: Mapping[str, Any] = {}
ANYBODY = nullcontext()
Enter = Callable[[Scope], AbstractContextManager[None]]
GRACE_S = 1.0  # beyond a request's time, in which whatever waits says itself what it waited for


def error_body(error: DragomanError) -> dict[str, Any]:
    """OpenAI's shape. What is ours to mend tells the caller nothing but that."""
    ours = isinstance(error, InternalError) or error.status == 500
    return {
        "error": {
            "message": "internal error" if ours else error.message,
            "type": "invalid_request_error" if error.status < 500 else "server_error",
            "param": error.param,
            "code": error.code,
        }
    }


def error_response(error: DragomanError, path: str) -> Response:
    """The answer, dressed as the path's protocol has it."""
    headers = {}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(error.retry_after_s)
    if isinstance(error, MethodNotAllowed) and error.allowed:
        headers["allow"] = error.allowed
    if error.challenge is not None:
        headers["www-authenticate"] = error.challenge
    if error.status == BodyTooSlow.status:
        headers["connection"] = "close"  # what is still to come is not waited for
    body = oip_errors.error_body(error) if path.startswith(OIP) else error_body(error)
    text = json.dumps(body)  # in ASCII: what a caller sent may be no text that UTF-8 can hold
    return Response(text, error.status, headers, media_type="application/json")


def is_probe(path: str) -> bool:
    """Whether a request only watches the server."""
    return path.startswith(PROBES) or (path.startswith(OIP) and path.endswith(MODEL_PROBES))


def as_ours(error: Exception, request_id: str) -> DragomanError:
    """Any exception as one of the tree; a stranger's text goes to the log alone."""
    if isinstance(error, TimeoutError):
        return DeadlinePassed("the request took longer than this server gives one")
    if isinstance(error, HTTPException):
        return _from_starlette(error)
    if not isinstance(error, DragomanError) or error.status == 500:
        logger.error("request %s failed", printable(request_id), exc_info=error)
        return InternalError(repr(error))
    return error


def _from_starlette(error: HTTPException) -> DragomanError:
    if error.status_code == 404:
        return NotFound("there is no such path")
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        refused = MethodNotAllowed(f"this path takes {allowed or 'another method'}", param="method")
        refused.allowed = allowed
        return refused
    return InvalidRequest(f"malformed request: {error.detail}", param="body")


def anybody(scope: Scope) -> AbstractContextManager[None]:
    """Let every request in."""
    return ANYBODY


class Gate:
    """ASGI middleware around the whole application. What watches the server needs no place.

    Args:
        app: answers what is admitted.
        limits: of one request.
        admission: has the places.
        bodies: counts what arrives; None: bodies of its own.
        enter: lets a request in, or raises why not; see ``Door.enter``.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        admission: Admission,
        bodies: Bodies | None = None,
        enter: Enter = anybody,
    ) -> None:
        self._enter = enter
        self._app = app
        self._limits = limits
        self._admission = admission
        self._bodies = bodies or Bodies(limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, send = _with_request_id(scope, send)
        scope["app"] = self  # has Starlette's router raise its 404 and 405 for us to answer
        probe = is_probe(scope["path"])
        app = self._watch if probe else self._serve
        outer = request_ids.set({"request_id": request_id})
        try:
            if probe or not tracing.is_on():
                await self._answer(app, request_id, scope, receive, send)
            else:
                with tracing.request(scope, request_id, send) as noting:
                    await self._answer(app, request_id, scope, receive, noting)
        finally:
            request_ids.reset(outer)

    async def _answer(
        self, app: ASGIApp, request_id: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """The application's answer, or an error's."""
        refusal = None
        try:
            with self._enter(scope):
                await app(scope, receive, send)
        except ClientDisconnect as error:  # nobody to answer
            tracing.failed(error, error)
            forget_frames(error)
        except Exception as error:
            refusal = _refusal(error, request_id, scope)
            forget_frames(error)
        if refusal is not None:  # made outside: what failed is not kept until it is sent
            await refusal(scope, receive, send)

    async def _watch(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A probe needs no place, and its body is not waited for."""
        with Ending(scope, self._limits.request_timeout_s + GRACE_S):
            await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Any other request runs once its body is there and it has a place."""
        size_bytes = scope.get("state", NOTHING).get(ARRIVED)
        timeout_s = self._limits.request_timeout_s
        if size_bytes is not None:
            self._bodies.take(size_bytes)
            try:
                with self._admission, Ending(scope, timeout_s + GRACE_S):
                    await self._app(scope, receive, send)
            finally:
                self._bodies.give_back(size_bytes)
            return
        announced = _announced_bytes(scope)
        with (
            self._admission.after_body() as take_a_place,
            self._bodies.expected(scope, receive, announced) as body,
        ):
            await self._bodies.take_in(body)
            take_a_place()
            left_s = body.began_s + timeout_s - asyncio.get_running_loop().time()
            with Ending(scope, left_s + GRACE_S):
                await self._app(scope, body.receive, send)


def _refusal(error: Exception, request_id: str, scope: Scope) -> Response | None:
    """The answer to what failed; None: another has begun, and the listener breaks it off."""
    ours = as_ours(error, request_id)
    tracing.failed(ours, error)
    return None if STARTED in scope else error_response(ours, scope["path"])


def _announced_bytes(scope: Scope) -> int:
    """Of the body, as its head has it; 0: that does not say."""
    announced = header(scope, b"content-length")
    if announced is None or not announced.isdigit():
        return 0
    return int(announced.lstrip(b"0")[:20] or b"0")  # Python reads no number of 5,000 digits


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first value of a header, whose name is in small letters, as ASGI has them."""
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return None


def _with_request_id(scope: Scope, send: Send) -> tuple[str, Send]:
    """The request's id, its caller's or a new one, and a ``send`` that puts it on the answer."""
    sent = header(scope, REQUEST_ID_HEADER)
    if sent is None:
        sent = b"%s-%x" % (ID_PREFIX, next(_numbers))
        scope["headers"] = [*scope["headers"], (REQUEST_ID_HEADER, sent)]

    async def send_with_id(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (REQUEST_ID_HEADER, sent)]
        await send(message)

    return sent.decode("latin-1"), send_with_id
