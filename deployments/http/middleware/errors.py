"""The layer that answers for whatever fails below it, once and in one place.

A WebSocket that is refused before it is accepted gets the same answer as a request.
"""

from __future__ import annotations

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.http.errors import as_ours, error_response
from deployments.http.middleware.deadline import forget_frames
from deployments.telemetry import tracing
from deployments.telemetry.log import request_ids

STARTED = "dragoman.started"  # in the scope of a request whose answer is sent while it is made


class ErrorAnswers:
    """Turn an exception into its answer; a caller who left gets none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self  # has Starlette's router raise its 404 and 405, to be answered here
        refusal = None
        try:
            await self._app(scope, receive, send)
        except ClientDisconnect as error:
            tracing.failed(error, error)
            forget_frames(error)
        except Exception as error:
            refusal = _refusal(error, scope)
            forget_frames(error)
        if refusal is not None:  # made outside: what failed is not kept until it is sent
            await refusal(scope, receive, send)


def _refusal(error: Exception, scope: Scope) -> Response | None:
    """Return the answer; None where another has begun, which the listener then breaks off."""
    ours = as_ours(error, request_ids.get().get("request_id", ""))
    tracing.failed(ours, error)
    return None if STARTED in scope else error_response(ours, scope["path"])
