"""Callers on keep-alive connections, each with its next request as soon as it has its answer.

One thread on uvloop with a parser in C; what it costs is measured beside what it measures.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import cast

import httptools
import httpx
import numpy as np
import uvloop

TIMEOUT_S = 300.0  # of one load


@dataclass(frozen=True)
class Answer:
    """When one request was sent, and when its answer's body began and ended."""

    sent_s: float
    first_byte_s: float
    ended_s: float

    @property
    def took_s(self) -> float:
        return self.ended_s - self.sent_s

    @property
    def first_s(self) -> float:
        return self.first_byte_s - self.sent_s


@dataclass(frozen=True)
class Load:
    """What was counted, once every caller was busy: so many answers in so many seconds."""

    answers: Sequence[Answer]
    duration_s: float
    cpu_s: float  # of the callers themselves, over the whole load
    whole_s: float  # with the time before the count began
    all_answers: int  # with those before the count began

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.answers) / self.duration_s

    def percentile_s(self, percent: float) -> float:
        return float(np.percentile([answer.took_s for answer in self.answers], percent))


def post(url: str, **content: object) -> bytes:
    """A request as it goes over the wire; ``content`` as httpx takes it (json, files, ...)."""
    request = httpx.Request("POST", url, **content)  # type: ignore[arg-type]
    lines = [f"POST {request.url.raw_path.decode()} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + request.read()


def load(url: str, requests: Sequence[bytes], callers: int, counted: int, ahead: int) -> Load:
    """Send the requests in turn, from the first again behind the last.

    Args:
        url: of the server.
        requests: made by ``post``.
        callers: connections, each with one request at a time.
        counted: answers that are counted,
        ahead: after so many that are not.

    Raises:
        RuntimeError: an answer was none of 200; the message holds it.
    """
    return uvloop.run(load_from_loop(url, requests, callers, counted, ahead))


async def load_from_loop(
    url: str, requests: Sequence[bytes], callers: int, counted: int, ahead: int
) -> Load:
    """``load`` for who has an event loop."""
    before_s = time.process_time()
    counting = _Counting(cycle(requests), ahead + counted)
    connections = [await _Caller.connected(url, counting) for _ in range(callers)]
    counting.begin_s = time.perf_counter()
    for connection in connections:
        connection.send_next()
    try:
        await asyncio.wait_for(counting.done, TIMEOUT_S)
    finally:
        for connection in connections:
            connection.leave()
    answers = counting.answers
    begin_s = answers[ahead - 1].ended_s if ahead else counting.begin_s
    return Load(
        answers=answers[ahead:],
        duration_s=answers[-1].ended_s - begin_s,
        cpu_s=time.process_time() - before_s,
        whole_s=answers[-1].ended_s - counting.begin_s,
        all_answers=len(answers),
    )


@dataclass(eq=False)
class _Counting:
    """What the callers share."""

    requests: Iterator[bytes]
    wanted: int
    answers: list[Answer] = field(default_factory=list)
    done: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    begin_s: float = 0.0

    def add(self, answer: Answer) -> None:
        if len(self.answers) < self.wanted:
            self.answers.append(answer)
        if len(self.answers) == self.wanted and not self.done.done():
            self.done.set_result(None)

    def fail(self, message: str) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(message))


class _Caller(asyncio.Protocol):
    """One connection. httptools calls ``on_body`` and ``on_message_complete``."""

    def __init__(self, counting: _Counting) -> None:
        self._counting = counting
        self._transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser
        self._sent_s = self._first_byte_s = 0.0
        self._body: list[bytes] = []

    @classmethod
    async def connected(cls, url: str, counting: _Counting) -> _Caller:
        where, loop = httpx.URL(url), asyncio.get_running_loop()
        _, caller = await loop.create_connection(
            lambda: cls(counting), where.host, where.port or 80
        )
        return caller

    def leave(self) -> None:
        self._transport.abort()

    def send_next(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._first_byte_s, self._body = 0.0, []
        request = next(self._counting.requests)
        self._sent_s = time.perf_counter()
        self._transport.write(request)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._counting.fail(f"the connection was closed: {error}")

    def on_body(self, data: bytes) -> None:
        if not self._body:
            self._first_byte_s = time.perf_counter()
        self._body.append(data)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status != httpx.codes.OK:
            text = b"".join(self._body).decode(errors="replace")
            self._counting.fail(f"status {status}: {text}")
            return
        self._counting.add(Answer(self._sent_s, self._first_byte_s, time.perf_counter()))
        if not self._counting.done.done():
            self.send_next()
