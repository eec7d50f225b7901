"""Requests that fail before a model's queue counts them: in the statistics of the model they meant.

Labels are names of the configuration alone: what a caller wrote makes none.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from deployments.batcher import reason_of
from deployments.fleet import Fleet
from deployments.statistics import Reason
from models.errors import DragomanError

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


class Meant:
    """The model that a request is for, as far as it is known; a kind stands for its first."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


@contextmanager
def counting(fleet: Fleet, meant: Meant) -> Iterator[None]:
    """What fails inside, and no model or graph has counted, counts as a failed request."""
    started = time.perf_counter()
    try:
        yield
    except (DragomanError, HTTPException) as error:
        statistics = fleet.statistics(meant.name)
        if statistics is not None and not _is_counted(error):
            statistics.failed(time.perf_counter() - started, _reason(error))
        raise


def counted(fleet: Fleet, name: str, handler: Handler) -> Handler:
    """A handler whose refusals count for the model or kind of that name.

    The handler may know better: ``request.state.meant.name``.
    """

    async def handle(request: Request) -> Response:
        request.state.meant = meant = Meant(name)
        with counting(fleet, meant):
            return await handler(request)

    return handle


def _is_counted(error: Exception) -> bool:
    """Also where another error was made of it, to name the field of a protocol."""
    return any(getattr(each, "is_counted", False) for each in (error, error.__cause__))


def _reason(error: DragomanError | HTTPException) -> Reason:
    return reason_of(error) if isinstance(error, DragomanError) else "OTHER"
