"""Errors in Triton's form: ``{"error": text}``, in its words where it has some."""

from __future__ import annotations

from typing import Any

from deployments.inference.errors import in_tritons_words
from models.errors import DragomanError


def error_body(kind: type[DragomanError], message: str) -> dict[str, Any]:
    """Return the body of an error of that class, of which the caller is told ``message``."""
    return {"error": in_tritons_words(kind, message)}
