"""Errors in Triton's form: ``{"error": text}``, in its words where it has some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.errors import DragomanError, QueueDeadlinePassed, QueueFull

TRITON: Mapping[type[DragomanError], str] = {
    QueueFull: "Exceeds maximum queue size",
    QueueDeadlinePassed: "Request timeout expired",
}


def error_body(kind: type[DragomanError], message: str) -> dict[str, Any]:
    """Return the body of an error of that class, of which the caller is told ``message``."""
    words = TRITON.get(kind)
    return {"error": f"{words}: {message}" if words else message}
