"""``ModelStreamInfer``: many requests on one stream, and sequences, which are live sessions.

Models that give one answer are answered in the order of their requests, others as they speak, as
Triton does. What fails is told of its own request, and the stream goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any

from grpc.aio import EOF, InternalError, UsageError

from deployments.grpc.calls import Call, Calls, Context
from deployments.grpc.errors import message_of
from deployments.grpc.infer import Infer
from deployments.grpc.infer_request import Head, Parts
from deployments.grpc.infer_response import Parameters, in_stream, refusal, start_of
from deployments.grpc.sequences import Sequences, sequence_of
from deployments.http.errors import as_ours
from deployments.http.failed_requests import Meant
from deployments.http.middleware.admission import STOPPING
from deployments.http.middleware.deadline import forget_frames
from deployments.inference.kinds.base import Served
from deployments.inference.requests import context_of, wanted_of
from deployments.inference.tensors import Tensor
from deployments.telemetry import tracing
from models.errors import Draining, InvalidRequest

FINAL = "triton_final_response"
GONE = (InternalError, UsageError)  # what gRPC raises for a call that is over
EMPTY_FINAL = "triton_enable_empty_final_response"
Finals = AsyncGenerator[tuple[list[Tensor], bool]]  # outputs, and whether they are the last


class StreamInfer:
    """Serve the streams of one process."""

    def __init__(
        self, infer: Infer, calls: Calls, sequences: Sequences, max_in_flight: int
    ) -> None:
        self._infer, self._calls, self._sequences = infer, calls, sequences
        self._max_in_flight = max_in_flight

    async def talk(self, context: Context, call: Call) -> None:
        """Serve one stream to its end. Raises Draining: the server stops."""
        await _Stream(
            self._infer, self._calls, self._sequences, context, call, self._max_in_flight
        ).run()


class _Stream:
    """One stream: a reader, a task for each request, and one writer at a time."""

    def __init__(
        self,
        infer: Infer,
        calls: Calls,
        sequences: Sequences,
        context: Context,
        call: Call,
        max_in_flight: int,
    ) -> None:
        self._infer, self._calls = infer, calls
        self._context, self._call = context, call
        self._room = asyncio.Semaphore(max_in_flight)
        self._writing = asyncio.Lock()
        self._before: asyncio.Future[None] | None = None  # the answer that goes first
        self._sequences = sequences.of_stream(call, self._write)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            stopping = tasks.create_task(self._calls.admission.stopping.wait())
            while (data := await self._next(stopping)) is not None:
                await self._room.acquire()
                await self._take(data, tasks)
            is_stopped = stopping.done()
            stopping.cancel()
            if not is_stopped:
                self._sequences.finish()
        if is_stopped:
            raise Draining(STOPPING)

    async def _next(self, stopping: asyncio.Task[bool]) -> bytes | None:
        """Return the next request; None: there are no more, or the server stops."""
        reading = asyncio.ensure_future(self._context.read())
        try:
            await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                return None
            data = await reading
        finally:
            reading.cancel()
        return None if data is EOF else bytes(data)

    # ---- requests ------------------------------------------------------------------------

    async def _take(self, data: bytes, tasks: asyncio.TaskGroup) -> None:
        """Begin one request; those of a sequence are handed to it."""
        call = self._calls.renewed(self._call, self._context)
        parts = head = None
        try:
            with self._calls.held(data):
                parts, head = await self._infer.head(data, call)
                served = self._infer.served(head)
                sequence = sequence_of(head.parameters)
                if sequence is not None:
                    await self._sequences.take(sequence, parts, head, served, tasks)
        except Exception as error:
            self._in_turn(tasks, _made(self._refusal(error, parts, head)))
            return
        if sequence is not None:
            self._room.release()
        elif served.decoupled:
            tasks.create_task(self._several(data, parts, head, served, call))
        else:
            self._in_turn(tasks, self._one(data, parts, head, served, call))

    def _in_turn(self, tasks: asyncio.TaskGroup, work: Coroutine[Any, Any, bytes]) -> None:
        """Make an answer, and send it behind those that were begun before it."""
        before, own = self._before, asyncio.get_running_loop().create_future()
        self._before = own
        making = tasks.create_task(work)

        async def send() -> None:
            try:
                answer = await making
                if before is not None:
                    await before
                await self._write(answer)
            finally:
                own.set_result(None)
                self._room.release()

        tasks.create_task(send())

    async def _one(
        self, data: bytes, parts: Parts, head: Head, served: Served, call: Call
    ) -> bytes:
        """Return the one answer to a request, or why there is none."""
        try:
            with self._calls.request(data, call), Meant(self._infer.fleet, served.name):
                request, rows = await self._infer.read(parts, head, served, call)
                told: Parameters = ((FINAL, True),)
                return in_stream(await self._infer.answered(request, rows, served, call, told))
        except Exception as error:
            return self._refusal(error, parts, head)

    async def _several(
        self, data: bytes, parts: Parts, head: Head, served: Served, call: Call
    ) -> None:
        """Send the answers to one request as they are made; the last one says so."""
        try:
            with self._calls.request(data, call), Meant(self._infer.fleet, served.name):
                await self._send_all(parts, head, served, call)
        except Exception as error:
            await self._write(self._refusal(error, parts, head))
        finally:
            self._room.release()

    async def _send_all(self, parts: Parts, head: Head, served: Served, call: Call) -> None:
        has_empty_end = head.parameters.get(EMPTY_FINAL, False)
        if not isinstance(has_empty_end, bool):
            message = f"parameter '{EMPTY_FINAL}' must be true or false"
            raise InvalidRequest(message, param=EMPTY_FINAL)
        request, rows = await self._infer.read(parts, head, served, call)
        if any(each.region is not None for each in request.outputs or ()):
            message = "outputs that come in parts cannot lie in shared memory"
            raise InvalidRequest(message, param="outputs")
        context = context_of(head.parameters, call.deadline)
        made = served.stream(rows, wanted_of(request), context)
        answers = _with_empty_end(made) if has_empty_end else _with_marked_end(made)
        async with aclosing(answers):
            async for outputs, is_last in answers:
                told: Parameters = ((FINAL, is_last),)
                if outputs:
                    pieces = await self._infer.rendered(request, served, outputs, call, told)
                else:
                    pieces = start_of(served.name, request.id, parameters=told)
                await self._write(in_stream(pieces))

    # ---- what is sent --------------------------------------------------------------------

    async def _write(self, answer: bytes) -> None:
        async with self._writing:
            try:
                await self._context.write(answer)
            except GONE as error:  # the caller has left, which ends the stream in a moment
                raise asyncio.CancelledError from error

    def _refusal(self, error: Exception, parts: Parts | None, head: Head | None) -> bytes:
        """Return the answer that tells why one request is not answered."""
        ours = as_ours(error, self._call.request_id)
        tracing.failed(ours, error)
        forget_frames(error)
        id_ = "" if parts is None else parts.id
        model = "" if head is None else head.model
        return refusal(model, id_, message_of(ours), {FINAL: True})


async def _made(answer: bytes) -> bytes:
    return answer


async def _with_empty_end(made: AsyncGenerator[list[Tensor]]) -> Finals:
    """Pass each answer on at once, and an empty one behind them."""
    async with aclosing(made):
        async for outputs in made:
            yield outputs, False
    yield [], True


async def _with_marked_end(made: AsyncGenerator[list[Tensor]]) -> Finals:
    """Hold each answer until the next one is there, or there is none: only the last is the last."""
    held: list[Tensor] | None = None
    async with aclosing(made):
        async for outputs in made:
            if held is not None:
                yield held, False
            held = outputs
    assert held is not None, "a stream has at least one answer"
    yield held, True
