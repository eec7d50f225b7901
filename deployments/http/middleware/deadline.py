"""End requests from outside: when their time is over, their caller leaves, or room is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Scope

GRACE_S = 1.0  # beyond a request's time, in which whatever waits says itself what it waited for
OVER = Exception("the request is over: too late to end it")


class Ending:
    """End what runs within it from outside, as a context manager.

    Args:
        scope: of the request.
        timeout_s: what it may take.
        late: makes what is raised once it took longer.

    Raises:
        ClientDisconnect: see ``leave``.
    """

    __slots__ = ("_error", "_late", "_task", "_timeout_s", "_timer")

    def __init__(
        self, scope: Scope, timeout_s: float, late: Callable[[], Exception] = TimeoutError
    ) -> None:
        scope.setdefault("state", {})["ending"] = self
        self._timeout_s, self._late = timeout_s, late
        self._error: Exception | None = None

    def now(self, error: Exception) -> None:
        """End the request with that error."""
        if self._error is None:
            self._error = error
            self._task.cancel()

    def __enter__(self) -> Ending:
        task = asyncio.current_task()
        assert task is not None, "a request runs in a task"
        self._task = task
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._timeout_s, self._too_late)
        return self

    def _too_late(self) -> None:
        self.now(self._late())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        ended_by, self._error = self._error, OVER
        if ended_by is None:
            return
        cancelled_by_others = self._task.uncancel() > 0
        if isinstance(error, asyncio.CancelledError) and not cancelled_by_others:
            try:
                raise ended_by from error
            finally:
                # Its traceback holds this frame, and by the cause the request's own, with all
                # that it had of the body: a cycle that nothing but a collection would free.
                del ended_by, error, traceback


def leave(state: Mapping[str, Any]) -> None:
    """End the request of that ASGI state, whose caller has left: nobody waits for its answer."""
    ending: Ending | None = state.get("ending")
    if ending is not None:
        ending.now(ClientDisconnect())


def forget_frames(error: BaseException) -> None:
    """Free what an error's way through a request held, now that it has been told.

    Wherever an error is kept on its way, by a future, a task or a variable, its traceback makes a
    cycle of it: with all of the request's samples, and nothing but a collection frees that.
    """
    left: list[BaseException | None] = [error]
    seen = set[int]()
    while left:
        each = left.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            each.__traceback__ = None
            left += [each.__cause__, each.__context__]
