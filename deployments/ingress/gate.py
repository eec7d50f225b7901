"""What stands before every endpoint: admission, body cap, request id, and one table of errors."""

from __future__ import annotations

import asyncio
import itertools
import json
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments import tracing
from deployments.config import Limits
from deployments.ingress.oip import errors as oip_errors
from deployments.log import logger, printable, request_ids
from models.errors import (
    DeadlinePassed,
    DragomanError,
    Draining,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    TooLarge,
)

REQUEST_ID_HEADER = b"x-request-id"
# Of requests without an id: of this process, and a number. A UUID for each takes 8 us.
ID_PREFIX, _numbers = uuid.uuid4().hex.encode(), itertools.count(1)
# Answered also under overload and while draining.
PROBES = ("/health/", "/v2/health/", "/metrics")
MODEL_PROBES = ("/ready", "/stats")  # the ends of paths of models that are probes, too
OIP = "/v2"  # what begins so is answered in Triton's words
STARTED = "dragoman.started"  # in the scope of a request whose answer is sent while it is made
NO_PLACE = nullcontext()  # what a probe takes
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


class Admission:
    """How many requests run in this process, and whether it still takes more.

    Its places are taken as a context manager.
    """

    def __init__(self, max_requests: int) -> None:
        self._max_requests = max_requests
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.is_open = True  # what the probes say: it is not, some time before it drains
        self.draining = False

    def __enter__(self) -> None:
        """Take a place for one request.

        Raises:
            Draining: the server is stopping.
            Overloaded: every place is taken.
        """
        if self.draining:
            raise Draining("the server is stopping")
        if self._running >= self._max_requests:
            raise Overloaded("as many requests as this server takes at once are running")
        self._running += 1
        self._idle.clear()

    def __exit__(self, *_: object) -> None:
        self._running -= 1
        if not self._running:
            self._idle.set()

    async def drain(self, timeout_s: float, notice_s: float = 0.0) -> bool:
        """Say not ready, after ``notice_s`` take no more requests, and finish those that run.

        Returns whether all of them have ended within ``timeout_s`` after that.
        """
        self.is_open = False
        await asyncio.sleep(notice_s)
        self.draining = True
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            return False
        return True


def anybody(scope: Scope) -> AbstractContextManager[None]:
    """Let every request in."""
    return NO_PLACE


class Gate:
    """ASGI middleware around the whole application. What watches the server needs no place.

    Args:
        app: answers what is admitted.
        limits: of one request.
        admission: has the places.
        enter: lets a request in, or raises why not; see ``Door.enter``.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, admission: Admission, enter: Enter = anybody
    ) -> None:
        self._enter = enter
        self._app = app
        self._limits = limits
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, send = _with_request_id(scope, send)
        scope["app"] = self  # has Starlette's router raise its 404 and 405 for us to answer
        probe = is_probe(scope["path"])
        place = NO_PLACE if probe else self._admission
        outer = request_ids.set({"request_id": request_id})
        try:
            if probe or not tracing.is_on():
                await self._answer(place, request_id, scope, receive, send)
            else:
                with tracing.request(scope, request_id, send) as noting:
                    await self._answer(place, request_id, scope, receive, noting)
        finally:
            request_ids.reset(outer)

    async def _answer(
        self,
        place: AbstractContextManager[None],
        request_id: str,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """The application's answer, or an error's."""
        try:
            with self._enter(scope), place, Ending(scope, self._limits.request_timeout_s + GRACE_S):
                await self._app(scope, self._capped(scope, receive), send)
        except ClientDisconnect as error:  # nobody to answer
            tracing.failed(error, error)
        except Exception as error:
            ours = as_ours(error, request_id)
            tracing.failed(ours, error)
            if STARTED not in scope:  # an answer that ends too early is broken off by the listener
                await error_response(ours, scope["path"])(scope, receive, send)

    def _capped(self, scope: Scope, receive: Receive) -> Receive:
        """``receive`` that refuses a body over the limit, announced or not."""
        limit = self._limits.max_body_bytes
        message = f"the body must have at most {limit} bytes"
        announced = header(scope, b"content-length")
        if announced is not None and announced.isdigit():
            if int(announced) > limit:
                raise TooLarge(message, param="body")
            return receive  # HTTP itself ends the body there
        taken = 0

        async def capped() -> Message:
            nonlocal taken
            part = await receive()
            taken += len(part.get("body", b""))
            if taken > limit:
                raise TooLarge(message, param="body")
            return part

        return capped


class Ending:
    """What ends a request from outside, as a context manager: its time, or its caller's leaving.

    Raises:
        TimeoutError: it took longer than ``timeout_s``.
        ClientDisconnect: see ``leave``.
    """

    __slots__ = ("_error", "_task", "_timeout_s", "_timer")

    def __init__(self, scope: Scope, timeout_s: float) -> None:
        scope.setdefault("state", {})["ending"] = self
        self._timeout_s = timeout_s
        self._error: Exception | None = None

    def now(self, error: Exception) -> None:
        """End the request with that error."""
        if self._error is None:
            self._error = error
            self._task.cancel()

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "a request runs in a task"
        self._task = task
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._timeout_s, self.now, TimeoutError())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        ended_by, self._error = self._error, OVER
        if ended_by is not None:
            cancelled_by_others = self._task.uncancel() > 0
            if isinstance(error, asyncio.CancelledError) and not cancelled_by_others:
                raise ended_by from error


OVER = Exception("the request is over: too late to end it")


def leave(state: Mapping[str, Any]) -> None:
    """The caller of the request of that ASGI state has left: nobody waits for its answer."""
    ending: Ending | None = state.get("ending")
    if ending is not None:
        ending.now(ClientDisconnect())


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
