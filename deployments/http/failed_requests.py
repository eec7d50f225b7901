"""Count requests that fail before a model's queue does, for the model that they meant.

Labels are names of the configuration alone: what a caller wrote makes none.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from deployments.batching.batcher import reason_of
from deployments.catalogue.selection import Fleet
from models.errors import DragomanError

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


class Meant:
    """Name the model that a request is for, as a context manager around all of the request.

    What fails inside, and no model or graph has counted, counts as a failed request of the model.
    A kind's ``name`` stands for its first model, until more is known.
    """

    __slots__ = ("_fleet", "_started", "name")

    def __init__(self, fleet: Fleet, name: str) -> None:
        self._fleet = fleet
        self.name = name

    def __enter__(self) -> Meant:
        self._started = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not isinstance(error, DragomanError | HTTPException) or _is_counted(error):
            return
        statistics = self._fleet.statistics(self.name)
        if statistics is not None:
            reason = reason_of(error) if isinstance(error, DragomanError) else "OTHER"
            statistics.failed(time.perf_counter() - self._started, reason)


def counted(fleet: Fleet, name: str, handler: Handler) -> Handler:
    """Wrap a handler, so that its refusals count for the model or kind of that name.

    The handler may know better: ``request.state.meant.name``.
    """

    async def handle(request: Request) -> Response:
        with Meant(fleet, name) as meant:
            request.state.meant = meant
            return await handler(request)

    return handle


def _is_counted(error: Exception) -> bool:
    """Return whether it was counted, or the error that it was made of."""
    return any(getattr(each, "is_counted", False) for each in (error, error.__cause__))
