"""A server of live sessions on a real socket, which says what a test tells it to."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

Json: TypeAlias = dict[str, Any]


@dataclass
class FakeSession:
    """The server's end of one session."""

    socket: ServerConnection
    received: list[Json] = field(default_factory=list)
    told: int = 0

    async def tell(self, kind: str, **fields: Any) -> None:
        self.told += 1
        await self.socket.send(
            json.dumps({"type": kind, "event_id": f"event_{self.told}", **fields})
        )

    async def until(self, kind: str) -> Json:
        """Read what the client sends up to an event of this type."""
        while True:
            event: Json = json.loads(await self.socket.recv())
            self.received.append(event)
            if event["type"] == kind:
                return event

    async def open(self) -> Json:
        """Create the session, and take the client's update."""
        await self.tell("session.created", session={"id": "sess_1"})
        update = await self.until("session.update")
        await self.tell("session.updated", session=update["session"])
        return update

    def pcm(self) -> bytes:
        """All audio that came so far."""
        return b"".join(
            base64.b64decode(each["audio"]) for each in self.received if "audio" in each
        )


Script: TypeAlias = Callable[[FakeSession], Awaitable[None]]


@dataclass
class FakeLiveServer:
    """Refuses the first handshakes as it is told, and then lets a script speak."""

    script: Script
    refusals: Sequence[tuple[int, Json, dict[str, str]]] = ()
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    sessions: list[FakeSession] = field(default_factory=list)

    def refuse(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        if len(self.requests) > len(self.refusals):
            return None
        status, error, headers = self.refusals[len(self.requests) - 1]
        body = json.dumps({"error": error}).encode()
        length = {"content-length": str(len(body))}
        return Response(status, HTTPStatus(status).phrase, Headers(headers | length), body)

    async def serve(self, connection: ServerConnection) -> None:
        session = FakeSession(connection)
        self.sessions.append(session)
        await self.script(session)

    @property
    def path(self) -> str:
        return urlsplit(self.requests[-1].path).path

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the last handshake."""
        return dict(parse_qsl(urlsplit(self.requests[-1].path).query))


@asynccontextmanager
async def serving(
    script: Script, refusals: Sequence[tuple[int, Json, dict[str, str]]] = ()
) -> AsyncIterator[FakeLiveServer]:
    fake = FakeLiveServer(script, refusals)
    async with serve(fake.serve, "127.0.0.1", 0, process_request=fake.refuse) as server:
        port = server.sockets[0].getsockname()[1]
        fake.url = f"http://127.0.0.1:{port}"
        yield fake
