"""Keep a key to its limits: requests at once and a minute, audio and text a day."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from contextvars import Token
from types import TracebackType

from deployments.config.security import Key, Quotas
from deployments.telemetry import usage
from deployments.telemetry.usage import Account, Usage
from models.errors import QuotaUsed, RateLimited, TooManyRunning

WINDOW_S, DAY_S = 60.0, 86_400

Clock = Callable[[], float]


class Caller:
    """One key, with its requests and its use of the last minute and day."""

    def __init__(self, key: Key, used: Usage, clock: Clock, unix_clock: Clock) -> None:
        self.name = key.name
        self.scopes = frozenset(key.scopes)
        self.digest = bytes.fromhex(key.hash)
        self._key = key
        self._used = used
        self._clock, self._unix_clock = clock, unix_clock
        self._has_quotas = key.quotas != Quotas()
        self.running = 0
        self._lately: deque[float] = deque()  # when each request of the last minute came
        self._day, self._today = 0, Usage()

    def visit(self) -> Visit:
        """Admit one request, which counts as running within the visit.

        Raises:
            RateLimited: too many run, too many came within a minute, or the day's quota is used.
        """
        most = self._key.max_concurrent_per_ingress
        if most is not None and self.running >= most:
            message = f"{most} requests of this key are running, as many as it may have at once"
            raise TooManyRunning(message)
        self.check_quotas()
        if self._key.requests_per_minute_per_ingress is not None:
            self._check_rate(self._key.requests_per_minute_per_ingress)
        self._used.requests += 1
        return Visit(self)

    def _check_rate(self, rate: int) -> None:
        now = self._clock()
        while self._lately and now - self._lately[0] >= WINDOW_S:
            self._lately.popleft()
        if len(self._lately) >= rate:
            error = RateLimited(f"this key may send {rate} requests a minute")
            error.retry_after_s = max(1, math.ceil(self._lately[0] + WINDOW_S - now))
            raise error
        self._lately.append(now)

    def check_quotas(self) -> None:
        """Refuse what goes on beyond a day's quota. Raises QuotaUsed."""
        if self._has_quotas:
            self._check_quotas()

    def _check_quotas(self) -> None:
        quotas, now = self._key.quotas, int(self._unix_clock())
        if now // DAY_S != self._day:
            self._day, self._today = now // DAY_S, Usage()
        for used, quota, what in (
            (self._today.audio_s, quotas.audio_s_per_day_per_ingress, "seconds of audio"),
            (self._today.characters, quotas.characters_per_day_per_ingress, "characters"),
        ):
            if quota is not None and used >= quota:
                error = QuotaUsed(f"this key has used its {quota:g} {what} of today (UTC)")
                error.retry_after_s = DAY_S - now % DAY_S
                raise error

    def meter(self, audio_s: float, characters: int) -> None:
        """Count the audio and the text of a request of this key."""
        for used in (self._used, self._today):
            used.audio_s += audio_s
            used.characters += characters


class Visit:
    """One request of a key: a context manager around all of it."""

    __slots__ = ("_caller", "_outer")

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def __enter__(self) -> None:
        self._caller.running += 1
        self._outer: Token[Account | None] = usage.current.set(self._caller)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._caller.running -= 1
        usage.current.reset(self._outer)
