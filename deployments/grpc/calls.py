"""What stands around every call: its id, its key, its message, its place, its time, its errors."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import grpc
from grpc.aio import EOF

from deployments.config.schema import Limits
from deployments.grpc.arrivals import Arrivals
from deployments.grpc.errors import message_of, status_of, trailers
from deployments.grpc.rights import ROUTES, Route
from deployments.http.errors import as_ours
from deployments.http.middleware.access import Door
from deployments.http.middleware.admission import Admission
from deployments.http.middleware.bodies import Bodies
from deployments.http.middleware.deadline import GRACE_S, Ending, forget_frames
from deployments.security.key_limits import Caller
from deployments.telemetry import tracing
from deployments.telemetry.log import request_ids
from models.errors import DragomanError, InvalidRequest, Overloaded

REQUEST_ID = "x-request-id"
AUTHORIZATION = "authorization"
# An id of this process and a number, as over HTTP.
ID_PREFIX, _numbers = uuid.uuid4().hex, itertools.count(1)
# A call says to whom it goes where nobody here can read it; no page of a browser can make one.
HOST = (b"host", b"localhost")

Context = Any  # grpc.aio.ServicerContext of bytes
Handler = Any  # grpc.RpcMethodHandler of bytes


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was let in.

    Attributes:
        request_id: the caller's, or a new one.
        deadline: on the event loop's clock.
        scope: by which its key is counted.
        caller: whose key it came with; None: it needed none.
    """

    request_id: str
    deadline: float
    scope: dict[str, Any]
    caller: Caller | None


Answer = Callable[[bytes, Call], Awaitable[bytes]]
Talk = Callable[[Context, Call], Awaitable[None]]
Work = Callable[[Context, Call], Awaitable[bytes]]
UNTRACED = nullcontext[tracing.Note](lambda status: None)


class Calls:
    """Let calls in, and answer for what fails in them.

    Args:
        door: knows who may ask.
        admission: has the places, of HTTP's requests, too.
        bodies: counts the bytes, of HTTP's requests, too.
        limits: of one request.
        max_streams: that may be open at once.
    """

    def __init__(
        self, door: Door, admission: Admission, bodies: Bodies, limits: Limits, max_streams: int
    ) -> None:
        self._door, self.admission, self._bodies = door, admission, bodies
        self._limits = limits
        self._arrivals = Arrivals(limits)
        self._streams, self._max_streams = Counter[str](), max_streams  # by method

    # ---- handlers ------------------------------------------------------------------------

    def one(self, method: str, answer: Answer) -> Handler:
        """Handle a method that takes one message and gives one.

        gRPC hands a message over before its key can be looked at, but not those of a stream.
        """

        answered = self._probed if ROUTES[method].is_probe else self._answered

        async def work(context: Context, call: Call) -> bytes:
            with self.visit(call):
                return await answered(context, call, answer)

        return grpc.stream_unary_rpc_method_handler(self._around(method, work))

    def stream(self, method: str, talk: Talk) -> Handler:
        """Handle a method of many messages, of which each is a request of its own."""

        async def work(context: Context, call: Call) -> bytes:
            with self._one_stream(method):
                await talk(context, call)
            return b""

        return grpc.stream_stream_rpc_method_handler(self._around(method, work))

    def _around(self, method: str, work: Work) -> Callable[[object, Context], Awaitable[bytes]]:
        route = ROUTES[method]

        async def handle(_: object, context: Context) -> bytes:
            metadata: Mapping[str, str] = dict(context.invocation_metadata())
            request_id = metadata.get(REQUEST_ID) or f"{ID_PREFIX}-{next(_numbers):x}"
            request_ids.set({"request_id": request_id})
            with _traced(method, metadata, request_id) as note:
                try:
                    call = self._let_in(context, route, metadata, request_id)
                    context.set_trailing_metadata(((REQUEST_ID, request_id),))
                    answer = await work(context, call)
                except Exception as error:
                    ours = as_ours(error, request_id)
                    tracing.failed(ours, error)
                    forget_frames(error)
                    note(status_of(type(ours)).value[0])
                else:
                    note(0)
                    return answer
            await _refuse(context, ours, request_id)
            raise AssertionError("a call that is refused ends there")

        return handle

    # ---- who comes in --------------------------------------------------------------------

    def _let_in(
        self, context: Context, route: Route, metadata: Mapping[str, str], request_id: str
    ) -> Call:
        """Look at a call's key, and at its deadline. Raises DragomanError: it may not come in."""
        headers = [HOST]
        if AUTHORIZATION in metadata:
            sent = [v for k, v in context.invocation_metadata() if k == AUTHORIZATION]
            headers += [(b"authorization", value.encode("latin-1", "replace")) for value in sent]
        scope = {
            "type": "http",
            "method": route.verb,
            "path": route.path,
            "headers": headers,
            "client": (context.peer(),),
        }
        caller = self._door.caller(scope)
        return Call(request_id, self._deadline(context), scope, caller)

    def _deadline(self, context: Context) -> float:
        """Return when a request that comes now must be answered, on the event loop's clock."""
        left_s, limit_s = context.time_remaining(), self._limits.request_timeout_s
        time_s = limit_s if left_s is None else min(left_s, limit_s)
        return asyncio.get_running_loop().time() + time_s

    async def _probed(self, context: Context, call: Call, answer: Answer) -> bytes:
        """Answer a call that only watches: it needs no place."""
        data = await self.message(context)
        with self._ending(call):
            return await answer(data, call)

    async def _answered(self, context: Context, call: Call, answer: Answer) -> bytes:
        with self.admission.after_body() as take_a_place:
            data = await self.message(context)
            with self.held(data):
                take_a_place()
                with self._ending(call):
                    return await answer(data, call)

    async def message(self, context: Context) -> bytes:
        """Return a call's one message. Raises InvalidRequest: it has none."""
        with self._arrivals.one():
            data = await context.read()
        if data is EOF:
            raise InvalidRequest("the call has no message", param="message")
        return bytes(data)

    def _ending(self, call: Call) -> Ending:
        left_s = call.deadline - asyncio.get_running_loop().time()
        return Ending({}, left_s + GRACE_S)

    # ---- requests of a stream ------------------------------------------------------------

    @contextmanager
    def _one_stream(self, method: str) -> Iterator[None]:
        if self._streams[method] >= self._max_streams:
            raise Overloaded(f"{self._max_streams} streams are open, the most here")
        self._streams[method] += 1
        try:
            with nullcontext() if ROUTES[method].is_probe else self.admission.lasting():
                yield
        finally:
            self._streams[method] -= 1

    def renewed(self, call: Call, context: Context) -> Call:
        """Return the call with the time that one more request of its stream has."""
        return replace(call, deadline=self._deadline(context))

    def visit(self, call: Call) -> AbstractContextManager[None]:
        """Count a request of a call's key. Raises RateLimited: it asks for too much."""
        return self._door.visits(call.scope, call.caller)

    @contextmanager
    def request(self, data: bytes, call: Call) -> Iterator[None]:
        """Let one request of a stream in, as if it came alone. Raises DragomanError."""
        with self.visit(call), self.held(data), self.admission, self._ending(call):
            yield

    @contextmanager
    def held(self, data: bytes) -> Iterator[None]:
        """Count a message that is held. Raises TooLarge, Overloaded: there is no room."""
        self._bodies.take(len(data))
        try:
            yield
        finally:
            self._bodies.give_back(len(data))


def _traced(
    method: str, metadata: Mapping[str, str], request_id: str
) -> AbstractContextManager[tracing.Note]:
    return tracing.call(method, metadata, request_id) if tracing.is_on() else UNTRACED


async def _refuse(context: Context, error: DragomanError, request_id: str) -> None:
    metadata = (*trailers(error), (REQUEST_ID, request_id))
    await context.abort(status_of(type(error)), message_of(error), metadata)
