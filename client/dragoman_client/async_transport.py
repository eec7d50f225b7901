"""AsyncRetryTransport: wraps a transport of httpx, tries again, and ends calls at their deadline.

All of Dragoman's endpoints are free of side effects: a call that is sent twice changes nothing on
the server, so that a POST may be repeated like a GET.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx

from .attempts import REAL_CLOCKS, AsyncSleep, Attempts, Clocks
from .deadlines import Deadline, bound_waits, within_async
from .policy import DEFAULT_RETRY, Retry


class AsyncRetryTransport(httpx.AsyncBaseTransport):
    """Repeats what failed for a passing reason, within the request's read timeout.

    It serves any httpx client whose requests may be repeated:

    >>> httpx.AsyncClient(transport=AsyncRetryTransport(httpx.AsyncHTTPTransport()))
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        retry: Retry = DEFAULT_RETRY,
        *,
        clocks: Clocks = REAL_CLOCKS,
        sleep: AsyncSleep = asyncio.sleep,
    ) -> None:
        bound_waits(transport)
        self._transport, self._retry, self._clocks, self._sleep = transport, retry, clocks, sleep

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        attempts = Attempts(request, self._retry, self._clocks)
        while True:
            deadline = attempts.begin()
            try:
                response = await within_async(
                    deadline, lambda: self._transport.handle_async_request(request)
                )
            except httpx.TransportError as error:
                wait_s = attempts.wait_after_error_s(error)
                if wait_s is None:
                    raise
            else:
                wait_s = attempts.wait_after_response_s(response)
                if wait_s is None:
                    if deadline and isinstance(response.stream, httpx.AsyncByteStream):
                        response.stream = AsyncBoundedBody(response.stream, deadline)
                    return response
                await response.aclose()
            await self._sleep(wait_s)

    async def aclose(self) -> None:
        await self._transport.aclose()


class AsyncBoundedBody(httpx.AsyncByteStream):
    """The body of an answer, whose reading ends at the deadline."""

    def __init__(self, body: httpx.AsyncByteStream, deadline: Deadline) -> None:
        self._body, self._deadline = body, deadline

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces, deadline = aiter(self._body), self._deadline
        while (piece := await within_async(deadline, lambda: anext(pieces, None))) is not None:
            yield piece
            deadline = deadline.after_a_piece()

    async def aclose(self) -> None:
        await self._body.aclose()
