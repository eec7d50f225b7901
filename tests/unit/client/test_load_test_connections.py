"""Raw connections of the load generator, against a server in the same event loop."""

from __future__ import annotations

import asyncio
import json

import pytest

import dragoman_client
from dragoman_client import ConnectionFailed, QueueFull
from load.connections import Connections, asker, connected, prepared
from load.figures import after
from load.steps import Length, Load, RealClock, Recording, Stepper
from tests.support.answering import SHORT, answering

HEAD = b"HTTP/1.1 200 OK\r\n"
FULL = json.dumps({"error": {"code": "queue_full", "message": "full"}}).encode()
BUSY = b"HTTP/1.1 503 Busy\r\ncontent-length: %d\r\n\r\n%s" % (len(FULL), FULL)


async def load(url: str, callers: int, length: Length, requests: int = 1) -> Recording:
    """The recording of callers who send numbered requests."""
    recording = Recording(Load("closed", callers))
    every = [prepared(f"{url}/x", json=number) for number in range(requests)]
    async with connected(url) as connections:
        await Stepper(asker(connections, every), RealClock()).run(recording, length)
    return recording


async def test_requests_go_out_in_turn_and_from_the_first_again() -> None:
    seen: list[int] = []

    async def respond(body: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append(json.loads(body))
        writer.write(SHORT)

    async with answering(respond) as url:
        await load(url, 1, Length(requests=5), requests=3)

    assert seen == [0, 1, 2, 0, 1]


async def test_every_caller_has_one_request_at_a_time() -> None:
    waiting = 0
    all_here = asyncio.Event()

    async def respond(body: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 4:
            all_here.set()
        await all_here.wait()
        writer.write(SHORT)

    async with answering(respond) as url:
        recording = await load(url, 4, Length(answers=4))

    assert len(recording.outcomes) == 4


async def test_a_connection_is_used_again() -> None:
    callers: set[object] = set()

    async def respond(body: bytes, writer: asyncio.StreamWriter) -> None:
        callers.add(writer)
        writer.write(SHORT)

    async with answering(respond) as url:
        await load(url, 1, Length(requests=5))

    assert len(callers) == 1


async def test_a_connection_that_the_server_closes_is_not_used_again() -> None:
    async def respond(body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(SHORT.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        writer.close()

    async with answering(respond) as url, connected(url) as connections:
        request = prepared(f"{url}/x", json=1)
        assert [(await connections.send(request)).body for _ in range(3)] == [b"ok"] * 3


async def test_who_still_waits_leaves_once_the_answers_are_there() -> None:
    first = asyncio.Event()

    async def respond(body: bytes, writer: asyncio.StreamWriter) -> None:
        if first.is_set():
            await asyncio.Event().wait()
        first.set()
        writer.write(SHORT)

    async with answering(respond) as url:
        recording = await load(url, 2, Length(answers=1))

    assert (len(recording.outcomes), recording.sent, recording.is_whole) == (1, 2, True)


async def test_callers_end_when_they_are_told() -> None:
    over = asyncio.Event()

    async def respond(body: bytes, writer: asyncio.StreamWriter) -> None:
        if json.loads(body) == 2:
            over.set()
        writer.write(SHORT)

    async with answering(respond) as url:
        recording = await load(url, 1, Length(until=over), requests=9)

    assert len(recording.outcomes) == 3


async def test_what_comes_ahead_is_not_counted() -> None:
    async with answering() as url:
        recording = await load(url, 2, Length(requests=8))

    counted = after(recording, 3)
    assert counted.outcomes == recording.outcomes[3:]
    assert counted.elapsed_s == recording.outcomes[-1].ended_s - recording.outcomes[2].ended_s


async def test_the_first_byte_of_a_streamed_answer_comes_before_its_end() -> None:
    begun = asyncio.Event()

    async def respond(body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n")
        asyncio.get_running_loop().call_later(0.01, begun.set)
        await begun.wait()
        writer.write(b"2\r\ncd\r\n0\r\n\r\n")

    async with answering(respond) as url:
        recording = await load(url, 1, Length(requests=1))

    (outcome,) = recording.outcomes
    assert outcome.answer is not None
    assert outcome.answer.first_byte_s is not None
    assert outcome.answer.first_byte_s * 1000 < outcome.latency_ms


async def test_a_refusal_is_the_clients_error() -> None:
    async def respond(body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(BUSY)

    async with answering(respond) as url, connected(url) as connections:
        with pytest.raises(QueueFull, match="full"):
            await asker(connections, [prepared(f"{url}/x", json=1)])(0)


async def test_a_connection_that_breaks_is_the_clients_error() -> None:
    async def respond(body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with answering(respond) as url, connected(url) as connections:
        with pytest.raises(ConnectionFailed, match="closed"):
            await connections.send(prepared(f"{url}/x", json=1))


async def test_nobody_there_is_the_clients_error() -> None:
    async with answering() as url:
        pass
    with pytest.raises(ConnectionFailed, match="cannot reach"):
        await Connections(url).send(prepared(f"{url}/x", json=1))


async def test_no_answer_in_time_is_the_clients_error() -> None:
    async def respond(body: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with answering(respond) as url, connected(url, timeout_s=0.02) as connections:
        with pytest.raises(dragoman_client.TimeoutError, match=r"within 0\.02 s"):
            await connections.send(prepared(f"{url}/x", json=1))
