"""Requests that cost the load generator little: httpx takes a fifth of a core for 100 a second.

The pool of httpx looks through all of its connections for each request, so that hundreds that
wait make it the bound. aiohttp comes with Ray.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

import aiohttp
import httpx

import dragoman_client
from dragoman_client import ConnectionFailed, errors
from load.endpoints import Answer, Ask

Body: TypeAlias = Callable[[], aiohttp.FormData | bytes]
MARGIN = 0.1  # of its time, by which the client tells the server to give up before it does


@dataclass(frozen=True)
class Request:
    """A request that is sent again and again."""

    path: str
    body: Body  # made anew for each
    content_type: str | None = None  # None: a form, which says it itself


@asynccontextmanager
async def asker(url: str, request: Request, timeout_s: float) -> AsyncIterator[Ask]:
    """The way to send the request, as the SDK does: with a deadline, told to the server."""
    headers = {"x-timeout-ms": str(round(timeout_s * (1 - MARGIN) * 1000))}
    if request.content_type is not None:
        headers["content-type"] = request.content_type
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),  # a bound would hold an open loop back
        timeout=aiohttp.ClientTimeout(total=timeout_s),
        headers=headers,
    ) as session:

        async def ask(number: int) -> Answer:
            try:
                async with session.post(url + request.path, data=request.body()) as answer:
                    content = await answer.read()
            except TimeoutError as error:
                raise dragoman_client.TimeoutError(f"no answer within {timeout_s} s") from error
            except aiohttp.ClientError as error:
                raise ConnectionFailed(repr(error)) from error
            if answer.status >= 400:
                headers = dict(answer.headers)
                raise errors.from_response(
                    httpx.Response(answer.status, headers=headers, content=content), ""
                )
            return Answer()

        yield ask


def form(content: bytes, **fields: str) -> Body:
    """A multipart form with an audio file and text fields."""

    def made() -> aiohttp.FormData:
        data = aiohttp.FormData(fields)
        data.add_field("file", content, filename="audio", content_type="application/octet-stream")
        return data

    return made
