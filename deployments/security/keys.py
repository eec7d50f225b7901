"""Find the key that a request came with, and check what that key may still ask."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import time
from collections import deque
from collections.abc import Callable
from contextvars import Token
from types import TracebackType

from deployments.config.security import Key, Quotas, Security
from deployments.telemetry import usage
from deployments.telemetry.usage import AccessFigures, Account, Usage
from models.errors import NoKey, QuotaUsed, RateLimited, TooManyRunning, Unauthorized

MAX_KEY_BYTES = 256  # of what is sent as a key; those that are made here have 43
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
        if self._has_quotas:
            self._check_quotas()
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


class KnownKeys:
    """All keys of the configuration, with the figures of this process."""

    def __init__(
        self, security: Security, clock: Clock = time.monotonic, unix_clock: Clock = time.time
    ) -> None:
        self.figures = AccessFigures({key.name: Usage() for key in security.keys})
        # A place in this dictionary is found by a hash that nobody outside can predict, so that
        # the time of a look-up tells nothing about the digests in it.
        self._salt = secrets.token_bytes(32)
        callers = (
            Caller(key, self.figures.usage[key.name], clock, unix_clock) for key in security.keys
        )
        self._callers = {self._place(caller.digest): caller for caller in callers}

    def __bool__(self) -> bool:
        return bool(self._callers)

    def __repr__(self) -> str:
        return f"KnownKeys({', '.join(self.figures.usage)})"

    def caller(self, authorization: bytes | None) -> Caller:
        """Return the owner of the key in a header ``Authorization``.

        Raises:
            Unauthorized: there is no key, or it is not known.
        """
        if authorization is None:
            message = "a key is needed: send it as the header Authorization: Bearer KEY"
            raise NoKey(message, param="authorization")
        scheme, _, sent = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            message = "the header Authorization must be like Bearer KEY"
            raise NoKey(message, param="authorization")
        return self.owner(sent.strip(b" "))

    def owner(self, key: bytes) -> Caller:
        """Return the owner of a key. Raises Unauthorized: it is not known."""
        if len(key) <= MAX_KEY_BYTES:
            digest = hashlib.sha256(key).digest()
            found = self._callers.get(self._place(digest))
            if found is not None and hmac.compare_digest(found.digest, digest):
                return found
        raise Unauthorized("the key is not known here", param="authorization")

    def _place(self, digest: bytes) -> bytes:
        return hashlib.blake2b(digest, key=self._salt).digest()


def new_key() -> tuple[str, str]:
    """Make a key; return it and its hash."""
    key = secrets.token_urlsafe(32)  # 256 bits
    return key, hashlib.sha256(key.encode()).hexdigest()
