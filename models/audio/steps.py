"""Long work cut into steps, between which other work can run."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

R = TypeVar("R")

# Each step yields the bytes that the work has gathered so far; the return value is its result.
Steps: TypeAlias = Generator[int, None, R]


def finished(steps: Steps[R]) -> R:
    """Run all steps at once, and return their result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: R = end.value
            return result
