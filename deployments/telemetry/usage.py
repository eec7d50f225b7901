"""Count what each key has used in this process, and which requests were refused.

Code that decodes audio or reads text reports it here, and it counts for the key of the request
that it runs in. Sums over the ingresses are exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from deployments.batching.statistics import add


@dataclass(slots=True)
class Usage:
    """The usage of one key."""

    requests: int = 0
    audio_s: float = 0.0
    characters: int = 0


@dataclass(slots=True)
class AccessFigures:
    """Counts since the start, by names of the configuration, and never by a key itself."""

    usage: dict[str, Usage] = field(default_factory=dict)  # by key
    refused: dict[tuple[str, str], int] = field(default_factory=dict)  # by key ("": none), reason


def total(parts: Iterable[AccessFigures]) -> AccessFigures:
    """Add up the figures of processes."""
    sum_ = AccessFigures()
    for part in parts:
        add(sum_, part)
    return sum_


class Account(Protocol):
    """The key that a request came with."""

    name: str

    def meter(self, audio_s: float, characters: int) -> None:
        """Count what a request has brought."""

    def check_quotas(self) -> None:
        """Refuse what goes on beyond a day's quota. Raises QuotaUsed."""


current: ContextVar[Account | None] = ContextVar("account", default=None)  # of the request


def heard(audio_s: float) -> None:
    """Count audio that the current request sent."""
    if (account := current.get()) is not None:
        account.meter(audio_s, 0)


def check_quotas() -> None:
    """Refuse what the current request goes on to send. Raises QuotaUsed: its key has no more."""
    if (account := current.get()) is not None:
        account.check_quotas()


def read(characters: int) -> None:
    """Count text that the current request sent to be translated or spoken."""
    if (account := current.get()) is not None:
        account.meter(0.0, characters)
