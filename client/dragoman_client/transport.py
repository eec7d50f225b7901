# Generated from async_transport.py by `make generate`: change that file.
"""RetryTransport: wraps a transport of httpx, tries again, and ends calls at their deadline.

All of Dragoman's endpoints are free of side effects: a call that is sent twice changes nothing on
the server, so that a POST may be repeated like a GET.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx

from .attempts import REAL_CLOCKS, Attempts, Clocks, Sleep
from .deadlines import Deadline, bound_waits, within
from .policy import DEFAULT_RETRY, Retry


class RetryTransport(httpx.BaseTransport):
    """Repeats what failed for a passing reason, within the request's read timeout.

    It serves any httpx client whose requests may be repeated:

    >>> httpx.Client(transport=RetryTransport(httpx.HTTPTransport()))
    """

    def __init__(
        self,
        transport: httpx.BaseTransport,
        retry: Retry = DEFAULT_RETRY,
        *,
        clocks: Clocks = REAL_CLOCKS,
        sleep: Sleep = time.sleep,
    ) -> None:
        bound_waits(transport)
        self._transport, self._retry, self._clocks, self._sleep = transport, retry, clocks, sleep

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        attempts = Attempts(request, self._retry, self._clocks)
        while True:
            deadline = attempts.begin()
            try:
                response = within(deadline, lambda: self._transport.handle_request(request))
            except httpx.TransportError as error:
                wait_s = attempts.wait_after_error_s(error)
                if wait_s is None:
                    raise
            else:
                wait_s = attempts.wait_after_response_s(response)
                if wait_s is None:
                    if deadline and isinstance(response.stream, httpx.SyncByteStream):
                        response.stream = BoundedBody(response.stream, deadline)
                    return response
                response.close()
            self._sleep(wait_s)

    def close(self) -> None:
        self._transport.close()


class BoundedBody(httpx.SyncByteStream):
    """The body of an answer, whose reading ends at the deadline."""

    def __init__(self, body: httpx.SyncByteStream, deadline: Deadline) -> None:
        self._body, self._deadline = body, deadline

    def __iter__(self) -> Iterator[bytes]:
        pieces, deadline = iter(self._body), self._deadline
        while (piece := within(deadline, lambda: next(pieces, None))) is not None:
            yield piece
            deadline = deadline.after_a_piece()

    def close(self) -> None:
        self._body.close()
