"""AsyncConnection: sends every call of the client to the server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping
from types import TracebackType
from typing import Self

import httpx

from . import errors, exchange
from .async_transport import AsyncRetryTransport
from .exchange import Call, Result
from .policy import DEFAULT_RETRY, DEFAULT_TIMEOUT, Retry, Timeout
from .version import __version__

DEFAULT_URL = "http://127.0.0.1:8000"
USER_AGENT = f"dragoman-client/{__version__}"


class AsyncConnection:
    """The base of :class:`AsyncClient`: its options, its connections, and one way to the server."""

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        timeout: Timeout | float | None = DEFAULT_TIMEOUT,
        retry: Retry = DEFAULT_RETRY,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._timeout = exchange.as_timeout(timeout)
        self._retry = retry
        self._http = httpx.AsyncClient(
            base_url=exchange.checked_url(base_url),
            headers={"user-agent": USER_AGENT, **exchange.key_header(key), **(headers or {})},
            transport=AsyncRetryTransport(transport or httpx.AsyncHTTPTransport(), retry),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections to the server."""
        await self._http.aclose()

    async def _send(self, call: Call[Result]) -> Result:
        request = exchange.request(self._http, call, self._timeout)
        try:
            response = await self._http.send(request)
        except httpx.HTTPError as error:
            raise errors.from_transport(error, request) from error
        return exchange.result(call, response)

    async def _stream(self, call: Call[Result]) -> AsyncGenerator[bytes]:
        """Send a call and yield the body of its answer, piece by piece."""
        request = exchange.request(self._http, call, self._timeout, streams=True)
        try:
            response = await self._http.send(request, stream=True)
            async with contextlib.aclosing(response):
                if not response.is_success:
                    await response.aread()
                    exchange.result(call, response)  # raises
                async for piece in response.aiter_bytes():
                    yield piece
        except httpx.HTTPError as error:
            raise errors.from_transport(error, request) from error
