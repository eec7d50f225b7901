"""Who runs, and how many at once: a request's key, its body and its place, in that order."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.config.schema import Limits
from deployments.http.middleware.bodies import ARRIVED, Bodies
from deployments.http.middleware.deadline import GRACE_S, Ending
from models.errors import Draining, Overloaded

STOPPING = "the server is stopping"
FULL = "as many requests as this server takes at once are running"
# Answered also under overload and while draining.
PROBES = ("/health/", "/v2/health/", "/metrics")
# Answers that go on as long as what they tell of, and bodies that go to the disk as they come.
LASTING = ("/v1/realtime/follow", "/v1/jobs")
LASTING_S = 86_400.0
TRITON = "/v2"
MODEL_PROBES = ("/ready", "/stats")  # the ends of Triton's paths that are probes of one model
NOTHING: Mapping[str, Any] = {}
ANYBODY = nullcontext()
Enter = Callable[[Scope], AbstractContextManager[None]]


class Admission:
    """Hold the places of running requests; each is taken as a context manager."""

    def __init__(self, max_requests: int) -> None:
        self._max_requests = max_requests
        self._running = 0
        self._coming = 0  # whose bodies arrive, or did
        self._idle = asyncio.Event()
        self._idle.set()
        self.is_open = True  # what the probes say: it is not, some time before it drains
        self.draining = False
        self.stopping = asyncio.Event()  # what lasts is to end, until ``ends_at``
        self.ends_at = math.inf  # on the event loop's clock

    def why_not_ready(self) -> str | None:
        """Return why a probe is told not to send requests; None: it may."""
        if not self.is_open or self.draining:
            return STOPPING
        return FULL if self._running >= self._max_requests else None

    def __enter__(self) -> None:
        """Take a place for one request.

        Raises:
            Draining: the server is stopping.
            Overloaded: every place is taken.
        """
        self._check()
        self._running += 1
        self._idle.clear()

    def __exit__(self, *_: object) -> None:
        self._running -= 1
        self._settle()

    @contextmanager
    def after_body(self) -> Iterator[Callable[[], None]]:
        """Hold the way open for a request whose body arrives: its place is taken once it is there.

        A drain waits for the body, too: a caller who began to send before it is answered.

        Yields:
            A function that takes the place. It raises Overloaded where none is free by then.

        Raises:
            Draining: the server is stopping.
            Overloaded: every place is taken already.
        """
        self._check()
        taken = 0

        def take() -> None:
            nonlocal taken
            self._check_full()
            taken = 1
            self._running += 1

        self._coming += 1
        self._idle.clear()
        try:
            yield take
        finally:
            self._coming -= 1
            self._running -= taken
            self._settle()

    @contextmanager
    def lasting(self) -> Iterator[None]:
        """Hold the way open for what ends by itself once ``stopping`` is set; it takes no place.

        Raises:
            Draining: the server is stopping.
        """
        if self.draining:
            raise Draining(STOPPING)
        self._coming += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._coming -= 1
            self._settle()

    def _check(self) -> None:
        if self.draining:
            raise Draining(STOPPING)
        self._check_full()

    def _check_full(self) -> None:
        if self._running >= self._max_requests:
            raise Overloaded(FULL)

    def _settle(self) -> None:
        if not self._running and not self._coming:
            self._idle.set()

    async def drain(self, timeout_s: float, notice_s: float = 0.0) -> bool:
        """Say not ready, after ``notice_s`` take no more requests, and finish those that are here.

        Returns whether all of them have ended within ``timeout_s`` after that.
        """
        self.is_open = False
        await asyncio.sleep(notice_s)
        self.draining = True
        self.ends_at = asyncio.get_running_loop().time() + timeout_s
        self.stopping.set()
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            return False
        return True


class Admitting:
    """Let a request in, wait for its body, and give it a place and a time.

    Args:
        app: answers what is admitted.
        limits: of one request.
        admission: has the places.
        bodies: counts what arrives; None: bodies of its own.
        enter: lets a request in, or raises why not; None lets everybody in. See ``Door.enter``.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        admission: Admission,
        bodies: Bodies | None = None,
        enter: Enter | None = None,
    ) -> None:
        self._app = app
        self._timeout_s = limits.request_timeout_s
        self._admission = admission
        self._bodies = bodies or Bodies(limits)
        self._enter = enter or _anybody

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._enter(scope):
            if scope["type"] == "websocket":
                with self._admission.lasting():
                    await self._app(scope, receive, send)
                return
            if scope["path"] in LASTING:
                with self._admission.lasting(), Ending(scope, LASTING_S):
                    await self._app(scope, receive, send)
                return
            size_bytes = scope.get("state", NOTHING).get(ARRIVED)
            if is_probe(scope["path"]):  # it needs no place, and its body is not waited for
                with Ending(scope, self._timeout_s + GRACE_S):
                    await self._app(scope, receive, send)
            elif size_bytes is None:
                await self._after_body(scope, receive, send)
            else:
                self._bodies.take(size_bytes)
                try:
                    with self._admission, Ending(scope, self._timeout_s + GRACE_S):
                        await self._app(scope, receive, send)
                finally:
                    self._bodies.give_back(size_bytes)

    async def _after_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the body in first, so that a slow caller keeps nobody from a place."""
        with (
            self._admission.after_body() as take_a_place,
            self._bodies.expected(scope, receive, _announced_bytes(scope)) as body,
        ):
            await self._bodies.take_in(body)
            take_a_place()
            left_s = body.began_s + self._timeout_s - asyncio.get_running_loop().time()
            with Ending(scope, left_s + GRACE_S):
                await self._app(scope, body.receive, send)


def is_probe(path: str) -> bool:
    """Return whether a request only watches the server."""
    return path.startswith(PROBES) or (path.startswith(TRITON) and path.endswith(MODEL_PROBES))


def _anybody(scope: Scope) -> AbstractContextManager[None]:
    return ANYBODY


def _announced_bytes(scope: Scope) -> int:
    """Return the length of the body as the head has it; 0 where it does not say."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            if not value.isdigit():
                return 0
            return int(value.lstrip(b"0")[:20] or b"0")  # Python reads no number of 5,000 digits
    return 0
