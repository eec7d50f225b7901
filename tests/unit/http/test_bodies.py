"""Bodies while they arrive: their places, their bytes and their time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.routing import Route, Router
from starlette.types import Message

from deployments.config.schema import Limits
from deployments.http.middleware import bodies as bodies_module
from deployments.http.middleware.admission import Admission
from deployments.http.middleware.bodies import BEGAN, Bodies, Body
from deployments.http.middleware.stack import guarded
from deployments.http.parsing import body as whole_body
from deployments.http.parsing import deadline_of
from tests.support.clock import settle
from tests.support.sockets import hello, opened, raw, serving, until


class Server:
    """An application that says how long a body was, with one place."""

    def __init__(self, **limits: Any) -> None:
        self.limits = Limits(**limits)
        self.bodies, self.admission = Bodies(self.limits), Admission(1)
        router = Router([Route("/", hello, methods=["GET", "POST"])])
        self.app = guarded(router, self.limits, self.admission, self.bodies)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        async with serving(self.app) as url:
            yield url
        assert (self.bodies.held_bytes, self.bodies.arriving) == (0, 0)


def head(length: int, more: str = "") -> bytes:
    return f"POST / HTTP/1.1\r\nhost: h\r\n{more}content-length: {length}\r\n\r\n".encode()


async def status(reader: asyncio.StreamReader) -> bytes:
    return (await reader.readline())[9:12]


async def post(url: str, length: int) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.post(url, content=bytes(length))


async def test_a_body_on_its_way_takes_no_place() -> None:
    server = Server()
    async with server.serving() as url:
        reader, writer = await opened(url, head(20) + b"x")
        await until(lambda: server.bodies.arriving == 1)
        beside = await post(url, 3)
        writer.write(b"x" * 19)
        assert await status(reader) == b"200"
        writer.close()
    assert (beside.status_code, beside.text) == (200, "hello 3")


async def test_a_body_in_pieces_comes_whole_and_in_order() -> None:
    sent = bytes(range(256)) * 3000

    async def received() -> Message:
        part = next(parts)
        return {"type": "http.request", "body": part, "more_body": bool(part)}

    sizes = [1, 100_000, 3, 65_536, 10, 200_000, len(sent)]
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    cut = [sent[start : start + size] for start, size in zip(starts, sizes, strict=True)]
    parts = iter([*cut, b""])
    bodies = Bodies(Limits())
    with bodies.expected({"type": "http"}, received, 0) as body:
        await bodies.take_in(body)
        assert bodies.held_bytes == len(sent)
        assert await whole_body(body.receive) == sent
    assert bodies.held_bytes == 0


async def test_a_body_of_single_bytes_is_no_object_for_each() -> None:
    left = iter(range(5000, -1, -1))

    async def received() -> Message:
        return {"type": "http.request", "body": b"x", "more_body": next(left) > 0}

    bodies = Bodies(Limits())
    with bodies.expected({"type": "http"}, received, 0) as body:
        await bodies.take_in(body)
        assert (body.size_bytes, len(body.pieces)) == (5001, 1)


async def test_a_body_has_its_time() -> None:
    async with Server(receive_timeout_s=0.05).serving() as url:
        answer = await raw(url, head(20) + b"x")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of an instant."""
    for name, value in {"RATE_WINDOW_S": 0.05, "WATCH_S": 0.01, "YOUNG_S": 0.0}.items():
        monkeypatch.setattr(bodies_module, name, value)


@pytest.mark.usefixtures("quick")
async def test_a_body_has_a_least_rate() -> None:
    async with Server(min_receive_bytes_s=1e6).serving() as url:
        answer = await raw(url, head(20) + b"x")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"body_too_slow" in answer


@pytest.mark.usefixtures("quick")
async def test_a_body_that_comes_fast_enough_is_not_ended() -> None:
    server = Server(min_receive_bytes_s=1.0)
    async with server.serving() as url:
        reader, writer = await opened(url, head(21))
        for _ in range(21):
            writer.write(b"x")
            await asyncio.sleep(0.01)
        assert await status(reader) == b"200"
        writer.close()


ROOM = {"max_body_bytes": 1000, "max_bodies_bytes": 1000}


async def test_without_room_a_body_is_refused_and_others_go_on() -> None:
    server = Server(**ROOM)
    async with server.serving() as url:
        _, writer = await opened(url, head(1000) + b"x" * 900)
        await until(lambda: server.bodies.held_bytes == 900)
        refused, served = await post(url, 500), await post(url, 50)
        writer.close()
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert served.status_code == 200


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "limits", [ROOM, {"max_receiving": 1}], ids=["bytes", "bodies on their way"]
)
async def test_the_slowest_gives_way(limits: dict[str, int]) -> None:
    server = Server(**limits)
    async with server.serving() as url:
        slow, writer = await opened(url, head(1000) + b"x" * 900)
        await until(lambda: server.bodies.held_bytes == 900)
        other, other_writer = await opened(url, head(600) + b"x" * 500)
        assert await status(slow) == b"503"
        other_writer.write(b"x" * 100)
        assert await status(other) == b"200"
        writer.close()
        other_writer.close()


async def test_how_slow_a_body_is_does_not_depend_on_when_it_is_asked() -> None:
    async def part() -> Message:
        return {"type": "http.request", "body": bytes(11_000), "more_body": True}

    body = Body(Bodies(Limits()), {"type": "http"}, part, 0.0)
    for _ in range(100):
        await body.more()
    asked = [body.staying_s(11.0)]
    assert not body.is_too_slow(11.0, 1.0)
    asked.append(body.staying_s(11.1))
    assert asked == [11.0, 11.0]


@pytest.mark.parametrize(
    "sent",
    [
        head(1000) + b"x" * 300,
        b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n64\r\n" + b"x" * 100,
    ],
    ids=["announced", "chunked"],
)
async def test_nothing_of_a_caller_who_leaves_is_held(sent: bytes) -> None:
    server = Server()
    async with server.serving() as url:
        _, writer = await opened(url, sent)
        await until(lambda: server.bodies.held_bytes >= 100)
        writer.transport.abort()
        await until(lambda: server.bodies.held_bytes == 0)


async def test_a_body_is_counted_until_its_request_is_over() -> None:
    server = Server()
    scope = {"type": "http", "state": {"arrived_bytes": 700}, "path": "/", "headers": []}
    seen = []

    async def app(*_: Any) -> None:
        seen.append(server.bodies.held_bytes)

    async def nothing(*_: Any) -> Any:
        raise AssertionError("nothing is received, and nothing answered")

    await guarded(app, server.limits, server.admission, server.bodies)(scope, nothing, nothing)
    assert (seen, server.bodies.held_bytes) == ([700], 0)


async def test_a_drain_waits_for_a_body_on_its_way() -> None:
    admission = Admission(1)
    with admission.after_body() as take_a_place:
        draining = asyncio.create_task(admission.drain(60.0))
        await settle()
        assert not draining.done()
        take_a_place()
    assert await draining


async def test_a_deadline_counts_from_the_head() -> None:
    began_s = asyncio.get_running_loop().time() - 5
    assert deadline_of({"state": {BEGAN: began_s}}, "8000", Limits()) == began_s + 8


def test_the_room_is_not_below_one_body() -> None:
    with pytest.raises(ValueError, match="max_bodies_bytes must not be below max_body_bytes"):
        Limits(max_bodies_bytes=10, max_body_bytes=11)
