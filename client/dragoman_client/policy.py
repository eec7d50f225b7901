"""Define the values by which a user bounds a call's time and its retries."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

# Enough for some minutes of speech on a CPU.
DEFAULT_TOTAL_S = 120.0

# 429: the caller's rate. 502: a proxy lost the replica. 503: full, stopping or not ready.
# A 504 is left out because its time has passed, a 500 because it would fail again.
RETRIED_STATUSES = frozenset({429, 502, 503})


@dataclass(frozen=True, slots=True)
class Timeout:
    """The time that a call may take, its retries included.

    ``total_s`` bounds the whole call: to connect, to send the files, and to read the last byte,
    however slowly the bytes come. A stream may take longer in all: ``total_s`` bounds the time to
    its first piece, and then the wait for each further one. The server is told the deadline
    (``x-timeout-ms``), so that it stops working on what nobody waits for. With None a call waits
    as long as the server does.

    >>> Client(timeout=30)  # seconds in all
    >>> Client(timeout=Timeout(total_s=600, connect_s=2))
    >>> Client(timeout=None)
    """

    total_s: float | None = DEFAULT_TOTAL_S
    connect_s: float = 5.0

    def __post_init__(self) -> None:
        for name in ("total_s", "connect_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive, got {value!r}")

    def to_httpx(self) -> httpx.Timeout:
        connect_s = self.connect_s
        if self.total_s is not None:
            connect_s = min(connect_s, self.total_s)
        return httpx.Timeout(self.total_s, connect=connect_s)


@dataclass(frozen=True, slots=True)
class Retry:
    """The rules by which a call is tried again.

    The client waits as long as the server's ``Retry-After`` says. Where there is none, the wait
    doubles from ``backoff_s`` up to ``max_backoff_s``, and a random part of up to a half is taken
    off, so that callers who failed together do not return together. A wait that would end after
    the call's timeout is not begun: the error is raised at once.

    >>> Client(retry=Retry(attempts=5, backoff_s=0.2))
    >>> Client(retry=Retry(attempts=1))  # never again
    """

    attempts: int = 3  # in all, the first one included
    backoff_s: float = 0.5
    max_backoff_s: float = 8.0
    statuses: frozenset[int] = RETRIED_STATUSES

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1, got {self.attempts}")
        if not 0 <= self.backoff_s <= self.max_backoff_s:
            raise ValueError(f"need 0 <= backoff_s <= max_backoff_s, got {self}")

    def delay_s(self, attempt: int, jitter: float) -> float:
        """Return the wait after attempt 1, 2, ... where the server names none; jitter in [0, 1)."""
        doubled_s = self.backoff_s * 2.0 ** min(attempt - 1, 32)  # 32: far over any maximum
        return min(doubled_s, self.max_backoff_s) * (1 - jitter / 2)


DEFAULT_TIMEOUT = Timeout()
DEFAULT_RETRY = Retry()
