"""A caller of an ASGI application that reads the answer message by message."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from deployments.http.middleware.deadline import leave


class Caller:
    """One request to an ASGI application, whose answer is read message by message."""

    def __init__(self, app: Any, path: str, content: bytes, **headers: str) -> None:
        self._receivable = asyncio.Queue[dict[str, Any]]()
        self._receivable.put_nowait({"type": "http.request", "body": content, "more_body": False})
        self._sent = asyncio.Queue[Any]()
        self._scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},  # uvicorn's
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"x-request-id", b"of-the-caller")]
            + [
                (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
            ],
        }
        self.task = asyncio.create_task(app(self._scope, self._receivable.get, self._sent.put))

    async def message(self) -> Any:
        async with asyncio.timeout(10):
            return await self._sent.get()

    async def start(self) -> tuple[int, dict[str, str]]:
        """The answer's status and headers."""
        message = await self.message()
        assert message["type"] == "http.response.start"
        return message["status"], {n.decode(): v.decode() for n, v in message["headers"]}

    async def piece(self) -> bytes:
        return bytes((await self.message())["body"])

    async def rest(self) -> bytes:
        """What comes until the answer ends in order."""
        pieces = b""
        while True:
            message = await self.message()
            pieces += bytes(message["body"])
            if not message.get("more_body", False):
                return pieces

    def leave(self) -> None:
        """As the listener sees it."""
        leave(self._scope["state"])

    async def event(self) -> dict[str, Any]:
        """The next server-sent event, which must be JSON."""
        body: dict[str, Any] = json.loads((await self.piece()).removeprefix(b"data: "))
        return body

    @property
    def unread(self) -> int:
        return self._sent.qsize()


def form_caller(app: Any, path: str, **form: Any) -> Caller:
    """One request with a form; ``form`` is what httpx takes."""
    request = httpx.Request("POST", f"http://localhost{path}", **form)
    return Caller(app, path, request.read(), content_type=request.headers["content-type"])
