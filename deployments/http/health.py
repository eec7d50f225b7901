"""Answers to probes, whichever protocol they ask in."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

RETRY_AFTER = {"retry-after": "1"}


async def live(request: Request) -> Response:
    """Say that the process answers."""
    return JSONResponse({"live": True})


def readiness(is_ready: bool, refusing: str | None, **fields: Any) -> Response:
    """Answer 200, or 503 with the time to ask again; ``fields`` stand beside ``ready``.

    Args:
        is_ready: whether what was asked for is there.
        refusing: why a new request would be refused all the same.
        fields: what else there is to say.
    """
    if refusing is not None:
        is_ready, fields = False, {**fields, "refusing": refusing}
    status, headers = (200, {}) if is_ready else (503, RETRY_AFTER)
    return JSONResponse({**fields, "ready": is_ready}, status, headers)
