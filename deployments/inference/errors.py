"""Errors in Triton's words, where it has some."""

from __future__ import annotations

from collections.abc import Mapping

from models.errors import DragomanError, QueueDeadlinePassed, QueueFull

TRITON: Mapping[type[DragomanError], str] = {
    QueueFull: "Exceeds maximum queue size",
    QueueDeadlinePassed: "Request timeout expired",
}


def in_tritons_words(kind: type[DragomanError], message: str) -> str:
    """Return what a caller is told of an error of that class."""
    words = TRITON.get(kind)
    return f"{words}: {message}" if words else message
