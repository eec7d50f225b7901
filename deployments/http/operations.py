"""The operator's questions: ``/metrics`` for Prometheus, and ``/v1/doctor``."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.catalogue.selection import Fleet
from deployments.doctor.diagnosis import diagnose, without_machine
from deployments.doctor.machine_checks import Models, settings
from deployments.doctor.probe import Machine, look
from deployments.http.media_types import preferred
from deployments.http.v1.model_listing import model_row
from deployments.telemetry.cluster_figures import Ledger
from deployments.telemetry.metrics import MEDIA_TYPE, OPENMETRICS, exposition
from models.devices import nvidia
from models.errors import DragomanError

# What a model's replicas may take to answer; one whose places are taken answers after its batch,
# and is listed as it was before.
ROW_S = 1.0
EXPOSITIONS = {media_type.partition(";")[0]: media_type for media_type in (MEDIA_TYPE, OPENMETRICS)}
KEPT_S = 30.0  # that a look at the machine serves everybody who asks


class MachineFacts:
    """Gather the machine's facts in a process of their own, by one look at a time.

    Args:
        look: gathers them; a process by default.
        clock: tells seconds.
    """

    def __init__(
        self,
        look: Callable[[], Awaitable[Machine]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look = look or look_at_machine
        self._clock = clock
        self._task: asyncio.Future[Machine] | None = None
        self._looked_at = 0.0

    async def get(self) -> Machine:
        """Return facts that are at most ``KEPT_S`` old. Raises OSError or ValueError."""
        is_old = self._clock() - self._looked_at >= KEPT_S
        if self._task is None or (is_old and self._task.done()):
            self._looked_at = self._clock()
            self._task = asyncio.ensure_future(self._look())
        return await asyncio.shield(self._task)  # one who leaves must not stop it for the others


class OperationsRoutes:
    """The handlers, over one fleet. ``started`` is the server's start, in Unix seconds."""

    def __init__(
        self,
        fleet: Fleet,
        models: Models,
        started: int,
        ledger: Ledger,
        facts: MachineFacts | None = None,
    ) -> None:
        self._fleet = fleet
        self._models = models
        self._started = started
        self._ledger = ledger
        self._facts = facts or MachineFacts()
        self._rows_before: dict[str, dict[str, Any]] = {}

    def routes(self) -> list[Route]:
        return [
            Route("/metrics", self.metrics, methods=["GET"]),
            Route("/v1/doctor", self.doctor, methods=["GET"]),
        ]

    async def metrics(self, request: Request) -> Response:
        rows, figures, gpus = await asyncio.gather(
            self._rows(), self._ledger.figures(), asyncio.to_thread(_gpus)
        )
        accept = request.headers.get("accept")
        media_type = EXPOSITIONS[preferred(accept, tuple(EXPOSITIONS))]
        door = self._ledger.door()
        text = exposition(rows, self._fleet.readiness(), figures, gpus, media_type, door)
        return Response(text, media_type=media_type, headers={"vary": "accept"})

    async def doctor(self, request: Request) -> Response:
        """Send the diagnosis, also where parts of it cannot be had."""
        rows = await self._rows()
        others = [settings(os.environ)]
        try:
            machine = (await self._facts.get()).without_names()
        except (OSError, ValueError) as error:
            fix = "run `make doctor` on the machine itself"
            return JSONResponse(without_machine(str(error), fix).to_dict())
        states = self._fleet.readiness()
        return JSONResponse(diagnose(machine, self._models, states, rows, others).to_dict())

    async def _rows(self) -> list[dict[str, Any]]:
        rows = await asyncio.gather(*map(self._row, self._fleet.names()))
        return [row for row in rows if row is not None]

    async def _row(self, name: str) -> dict[str, Any] | None:
        """Return a model's row: the last one if it is late, None if it is not ready."""
        try:
            async with asyncio.timeout(ROW_S):
                row = await model_row(self._fleet, name, self._started)
        except TimeoutError:
            return self._rows_before.get(name)
        except DragomanError:
            return None
        self._rows_before[name] = row
        return row


def _gpus() -> list[nvidia.Gpu]:
    """List every GPU of this machine; none where the driver does not say."""
    try:
        return nvidia.gpus()
    except (OSError, ValueError):
        return []


async def look_at_machine() -> Machine:
    """Run ``look`` beside the event loop; it raises the same."""
    return await asyncio.to_thread(look, os.environ)
