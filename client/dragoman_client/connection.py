# Generated from async_connection.py by `make generate`: change that file.
"""Connection: sends every call of the client to the server."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping
from types import TracebackType
from typing import Self

import httpx

from . import errors, exchange
from .exchange import Call, Result
from .policy import DEFAULT_RETRY, DEFAULT_TIMEOUT, Retry, Timeout
from .transport import RetryTransport
from .version import __version__

DEFAULT_URL = "http://127.0.0.1:8000"
USER_AGENT = f"dragoman-client/{__version__}"


class Connection:
    """The base of :class:`Client`: its options, its connections, and one way to the server."""

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        timeout: Timeout | float | None = DEFAULT_TIMEOUT,
        retry: Retry = DEFAULT_RETRY,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._timeout = exchange.as_timeout(timeout)
        self._retry = retry
        self._http = httpx.Client(
            base_url=exchange.checked_url(base_url),
            headers={"user-agent": USER_AGENT, **exchange.key_header(key), **(headers or {})},
            transport=RetryTransport(transport or httpx.HTTPTransport(), retry),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the server."""
        self._http.close()

    def _send(self, call: Call[Result]) -> Result:
        request = exchange.request(self._http, call, self._timeout)
        try:
            response = self._http.send(request)
        except httpx.HTTPError as error:
            raise errors.from_transport(error, request) from error
        return exchange.result(call, response)

    def _stream(self, call: Call[Result]) -> Generator[bytes]:
        """Send a call and yield the body of its answer, piece by piece."""
        request = exchange.request(self._http, call, self._timeout, streams=True)
        try:
            response = self._http.send(request, stream=True)
            with contextlib.closing(response):
                if not response.is_success:
                    response.read()
                    exchange.result(call, response)  # raises
                yield from response.iter_bytes()
        except httpx.HTTPError as error:
            raise errors.from_transport(error, request) from error
