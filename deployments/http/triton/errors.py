"""Errors as Triton dresses them: ``{"error": text}``, in its words where it has some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.errors import DragomanError, QueueDeadlinePassed, QueueFull

TRITON: Mapping[type[DragomanError], str] = {
    QueueFull: "Exceeds maximum queue size",
    QueueDeadlinePassed: "Request timeout expired",
}


def error_body(error: DragomanError) -> dict[str, Any]:
    """What is ours to mend tells the caller nothing but that."""
    if error.status == 500:
        return {"error": "internal error"}
    words = TRITON.get(type(error))
    return {"error": f"{words}: {error.message}" if words else error.message}
