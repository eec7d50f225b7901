"""Answers that are sent from an open file, piece by piece."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from typing import BinaryIO

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from deployments.http.middleware.errors import STARTED

PIECE_BYTES = 256 << 10


class OpenFileResponse(Response):
    """Send a file, which is closed at the end.

    An error on the way breaks the connection off, so that nobody takes what came for the whole.
    """

    def __init__(self, file: BinaryIO, media_type: str, headers: Mapping[str, str]) -> None:
        self.status_code, self.media_type, self.background = 200, media_type, None
        self._file = file
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        self.init_headers({**headers, "content-length": str(size)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[STARTED] = True
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        with self._file as file:
            await send(start)
            while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
