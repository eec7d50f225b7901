"""The refusals of requests that a queue does not let in."""

from __future__ import annotations

from models.errors import QueueFull


def queue_full(name: str) -> QueueFull:
    """Return the refusal of a request for which the queue has no place."""
    return QueueFull(f"the queue of model {name!r} is full")


def queue_too_long(name: str, expected_s: float) -> QueueFull:
    """Return the refusal of a request whose deadline would pass before its answer."""
    message = f"the queue of model {name!r} is too long for the request's deadline: an answer"
    return QueueFull(f"{message} would take about {expected_s:.2g} s")
