"""gRPC's own health checking: what load balancers and Kubernetes' probes ask."""

from __future__ import annotations

import asyncio
from typing import Any

from deployments.grpc.calls import Call, Calls, Context
from deployments.grpc.messages import CLASSES, HEALTH, SERVICE, read
from deployments.grpc.repository import RepositoryCalls
from models.errors import NotFound, UnknownModel

REQUEST = CLASSES["grpc.health.v1.HealthCheckRequest"]
RESPONSE = CLASSES["grpc.health.v1.HealthCheckResponse"]
LIST = CLASSES["grpc.health.v1.HealthListResponse"]
WATCH_S = 1.0  # between two looks
SERVER = ("", SERVICE, HEALTH)  # names that stand for all of it


class HealthCalls:
    """Tell whether the server, or a model by its name, answers."""

    def __init__(self, repository: RepositoryCalls, calls: Calls) -> None:
        self._repository, self._calls = repository, calls

    def _is_serving(self, service: str) -> bool:
        """Return whether a service answers. Raises UnknownModel: there is no such."""
        if service in SERVER:
            return self._repository.is_ready
        return self._repository.is_model_ready(self._repository.served(service))

    async def check(self, data: bytes, call: Call) -> bytes:
        service = read(REQUEST, data).service
        try:
            status = _status(self._is_serving(service))
        except UnknownModel as error:
            raise NotFound(f"there is no service {service[:80]!r}", param="service") from error
        return status.SerializeToString()  # type: ignore[no-any-return]

    async def list(self, data: bytes, call: Call) -> bytes:
        answer = LIST()
        for service in SERVER:
            answer.statuses[service].CopyFrom(_status(self._is_serving(service)))
        return answer.SerializeToString()  # type: ignore[no-any-return]

    async def watch(self, context: Context, call: Call) -> None:
        """Send the state, and each change of it, until the caller leaves or the server stops."""
        service = read(REQUEST, await self._calls.message(context)).service
        before, stopping = None, self._calls.admission.stopping
        while not stopping.is_set():
            try:
                now = _status(self._is_serving(service))
            except UnknownModel:
                now = RESPONSE(status="SERVICE_UNKNOWN")
            if now != before:
                await context.write(now.SerializeToString())
                before = now
            await asyncio.sleep(WATCH_S)


def _status(is_serving: bool) -> Any:
    return RESPONSE(status="SERVING" if is_serving else "NOT_SERVING")
