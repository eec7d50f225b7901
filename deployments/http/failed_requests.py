"""Count requests that fail before a model's queue counts them, for the model that they meant.

A label is always a name of the configuration, never what a caller wrote.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from deployments.batching.statistics import reason_of
from deployments.catalogue.selection import Fleet
from models.errors import DragomanError

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


class Meant:
    """The model that a request is for; a context manager around all of the request.

    An error inside that no model and no graph has counted counts as a failed request of the
    model. A kind's ``name`` stands for its first model, until more is known.
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
    """Let a handler's refusals count for the model or kind of that name.

    The handler sets ``request.state.meant.name`` once it knows which model it is.
    """

    async def handle(request: Request) -> Response:
        with Meant(fleet, name) as meant:
            request.state.meant = meant
            return await handler(request)

    return handle


def _is_counted(error: Exception) -> bool:
    """Tell whether statistics have an error, or the one that it was made of."""
    return any(getattr(each, "is_counted", False) for each in (error, error.__cause__))
