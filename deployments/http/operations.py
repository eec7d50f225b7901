"""The operator's questions: ``/metrics`` for Prometheus, and ``/v1/doctor``."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.catalogue.reports import report_of
from deployments.catalogue.selection import Fleet
from deployments.doctor.cluster_checks import cluster_findings
from deployments.doctor.diagnosis import diagnose, without_machine
from deployments.doctor.machine_checks import Models, settings
from deployments.doctor.probe import Machine, look
from deployments.http.media_types import preferred
from deployments.telemetry.cluster_figures import ClusterFigures
from deployments.telemetry.metrics import MEDIA_TYPE, OPENMETRICS, exposition
from deployments.telemetry.model_report import ModelReport
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
    """The handlers, over one fleet."""

    def __init__(
        self,
        fleet: Fleet,
        models: Models,
        cluster_figures: ClusterFigures,
        facts: MachineFacts | None = None,
    ) -> None:
        self._fleet = fleet
        self._models = models
        self._cluster_figures = cluster_figures
        self._facts = facts or MachineFacts()
        self._reports_before: dict[str, ModelReport] = {}

    def routes(self) -> list[Route]:
        return [
            Route("/metrics", self.metrics, methods=["GET"]),
            Route("/v1/doctor", self.doctor, methods=["GET"]),
        ]

    async def metrics(self, request: Request) -> Response:
        reports, figures, gpus = await asyncio.gather(
            self._reports(), self._cluster_figures.figures(), asyncio.to_thread(_gpus)
        )
        accept = request.headers.get("accept")
        media_type = EXPOSITIONS[preferred(accept, tuple(EXPOSITIONS))]
        access, lives = self._cluster_figures.access(), self._cluster_figures.live()
        text = exposition(reports, figures, gpus, media_type, access, lives)
        return Response(text, media_type=media_type, headers={"vary": "accept"})

    async def doctor(self, request: Request) -> Response:
        """Send the diagnosis, also where parts of it cannot be had."""
        others = [settings(os.environ)]
        try:
            machine = (await self._facts.get()).without_names()
        except (OSError, ValueError) as error:
            fix = "run `dragoman doctor` on the machine itself"
            return JSONResponse(without_machine(str(error), fix).to_dict())
        reports = await self._reports()
        others += cluster_findings(await self._fleet.directory.nodes(), reports)
        diagnosis = diagnose(machine, self._models, reports, others)
        return JSONResponse(diagnosis.to_dict())

    async def _reports(self) -> list[ModelReport]:
        """Return a report of every configured model."""
        return list(await asyncio.gather(*map(self._report, self._fleet.names())))

    async def _report(self, name: str) -> ModelReport:
        """Return a model's report: the one before if it does not answer in time."""
        report = ModelReport(name, self._fleet.readiness()[name])
        try:
            async with asyncio.timeout(ROW_S):
                report, _ = await report_of(self._fleet, name)
        except TimeoutError:
            return replace(self._reports_before.get(name, report), state=report.state)
        except DragomanError:
            return report
        self._reports_before[name] = report
        return report


def _gpus() -> list[nvidia.Gpu]:
    """List every GPU of this machine; none where the driver does not say."""
    try:
        return nvidia.gpus()
    except (OSError, ValueError):
        return []


async def look_at_machine() -> Machine:
    """Run ``look`` beside the event loop; it raises the same."""
    return await asyncio.to_thread(look, os.environ)
