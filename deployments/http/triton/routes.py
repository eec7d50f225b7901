"""``/v2``: the Open Inference Protocol with Triton's extensions, but for inference itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.config.schema import AppConfig
from deployments.graph.pipeline import Pipeline
from deployments.http.health import live, readiness
from deployments.http.parsing import body
from deployments.http.triton.infer import InferEndpoint
from deployments.http.triton.shared_memory import SharedMemoryRoutes
from deployments.inference.json_documents import json_object
from deployments.inference.kinds.base import Served
from deployments.inference.regions import EXTENSION, Regions
from deployments.inference.repository import SERVER, Repository
from deployments.telemetry.cluster_figures import ClusterFigures
from models.errors import InvalidRequest

EXTENSIONS = (
    "model_repository",
    "schedule_policy",
    "model_configuration",
    "binary_tensor_data",
    "parameters",
    "statistics",
)
OF_MODEL = ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")


class OipRoutes:
    """Handle the requests, over one pipeline."""

    def __init__(
        self,
        pipeline: Pipeline,
        config: AppConfig,
        refusing: Callable[[], str | None],  # why a new request would be refused
        cluster_figures: ClusterFigures,
        regions: Regions,
    ) -> None:
        self._pipeline = pipeline
        self._config = config
        self._refusing = refusing
        self._regions = regions
        self._repository = Repository(pipeline, config, cluster_figures)

    def routes(self) -> list[Route]:
        infer = InferEndpoint(
            self._repository.catalogue, self._pipeline, self._config.limits, self._regions
        )
        of_model = {"": self.metadata, "/ready": self.ready, "/config": self.configuration}
        of_model["/stats"] = self.statistics
        routes = [Route(f"{prefix}/infer", infer) for prefix in OF_MODEL]
        routes += SharedMemoryRoutes(self._regions, self._config.limits).routes()
        routes += [
            Route("/v2", self.server, methods=["GET"]),
            Route("/v2/health/live", live, methods=["GET"]),
            Route("/v2/health/ready", self.server_ready, methods=["GET"]),
            Route("/v2/models/stats", self.all_statistics, methods=["GET"]),
            Route("/v2/repository/index", self.index, methods=["POST"]),
            Route("/v2/repository/models/{name}/load", self.load, methods=["POST"]),
            Route("/v2/repository/models/{name}/unload", self.unload, methods=["POST"]),
        ]
        for prefix in OF_MODEL:
            routes += [
                Route(prefix + path, handler, methods=["GET"]) for path, handler in of_model.items()
            ]
        return routes

    # ---- the server ----------------------------------------------------------------------

    async def server(self, request: Request) -> Response:
        shared = (EXTENSION,) if self._regions.is_on else ()
        return JSONResponse({**SERVER, "extensions": [*EXTENSIONS, *shared]})

    async def server_ready(self, request: Request) -> Response:
        return readiness(self._repository.is_server_ready, self._refusing())

    # ---- a model -------------------------------------------------------------------------

    def _served(self, request: Request) -> Served:
        path = request.path_params
        return self._repository.catalogue.get(path["name"], path.get("version"))

    async def metadata(self, request: Request) -> Response:
        return JSONResponse(self._repository.metadata(self._served(request)))

    async def configuration(self, request: Request) -> Response:
        return JSONResponse(self._repository.configuration(self._served(request)))

    async def ready(self, request: Request) -> Response:
        served = self._served(request)
        return readiness(self._repository.is_ready(served), self._refusing(), name=served.name)

    async def statistics(self, request: Request) -> Response:
        rows = await self._repository.statistics([self._served(request)])
        return JSONResponse({"model_stats": rows})

    async def all_statistics(self, request: Request) -> Response:
        return JSONResponse({"model_stats": await self._repository.statistics()})

    # ---- the repository ------------------------------------------------------------------

    async def index(self, request: Request) -> Response:
        options = await _json_object(request)
        ready_only = options.get("ready", False)
        if not isinstance(ready_only, bool):
            raise InvalidRequest("ready must be true or false", param="ready")
        return JSONResponse(self._repository.index(ready_only=ready_only))

    async def load(self, request: Request) -> Response:
        name = self._repository.catalogue.get(request.path_params["name"]).name
        parameters = await _parameters(request)
        has_config, text = "config" in parameters, parameters.pop("config", None)
        if has_config and not isinstance(text, str):
            raise InvalidRequest("parameter 'config' must be a JSON text", param="config")
        if parameters:
            message = f"parameter '{next(iter(parameters))[:80]}' of load is not supported"
            raise InvalidRequest(message, param="parameters")
        await self._repository.load(name, text)
        return Response()

    async def unload(self, request: Request) -> Response:
        name = self._repository.catalogue.get(request.path_params["name"]).name
        parameters = await _parameters(request)
        with_dependents = parameters.pop("unload_dependents", False)
        if parameters or not isinstance(with_dependents, bool):
            message = "unload takes one parameter, unload_dependents: true or false"
            raise InvalidRequest(message, param="parameters")
        await self._repository.unload(name, with_dependents=with_dependents)
        return Response()


async def _json_object(request: Request) -> dict[str, Any]:
    """Read a JSON object; an empty body is an empty object."""
    data = await body(request.receive)
    return json_object(data) if data.strip() else {}


async def _parameters(request: Request) -> dict[str, Any]:
    found = (await _json_object(request)).get("parameters", {})
    if not isinstance(found, dict):
        raise InvalidRequest("parameters must be a JSON object", param="parameters")
    return dict(found)
