"""What each key has used in this process, and what was refused; sums over the ingresses are exact.

Whatever decodes audio or reads text says so here, and it counts for the key of the request that it
runs in.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from deployments.batching.statistics import add


@dataclass(slots=True)
class Usage:
    """Of one key."""

    requests: int = 0
    audio_s: float = 0.0
    characters: int = 0


@dataclass(slots=True)
class DoorFigures:
    """Counts since the start. Labels are names of the configuration, never a key."""

    usage: dict[str, Usage] = field(default_factory=dict)  # by key
    refused: dict[tuple[str, str], int] = field(default_factory=dict)  # by key ("": none), reason


def total(parts: Iterable[DoorFigures]) -> DoorFigures:
    """The sum over processes."""
    sum_ = DoorFigures()
    for part in parts:
        add(sum_, part)
    return sum_


class Account(Protocol):
    """Whose request it is."""

    name: str

    def meter(self, audio_s: float, characters: int) -> None:
        """Count what a request has brought."""


current: ContextVar[Account | None] = ContextVar("account", default=None)  # of the request


def heard(audio_s: float) -> None:
    """Count audio that the current request sent."""
    if (account := current.get()) is not None:
        account.meter(audio_s, 0)


def read(characters: int) -> None:
    """Count text that the current request sent to be translated or spoken."""
    if (account := current.get()) is not None:
        account.meter(0.0, characters)
