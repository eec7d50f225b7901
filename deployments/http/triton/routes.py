"""``/v2``: the Open Inference Protocol with Triton's extensions, but for inference itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments import __version__
from deployments.batching.statistics import Figures, total
from deployments.catalogue.generation import ModelOverride
from deployments.catalogue.load_rules import check_load
from deployments.catalogue.placements import Placement
from deployments.catalogue.selection import Fleet
from deployments.config.names import MODEL_VERSION
from deployments.config.schema import AppConfig, ModelConfig
from deployments.graph.pipeline import Pipeline
from deployments.http.health import live, readiness
from deployments.http.parsing import body
from deployments.http.triton.infer import InferEndpoint
from deployments.http.triton.shared_memory import SharedMemoryRoutes
from deployments.inference import model_config, signature, statistics
from deployments.inference.json_documents import json_object
from deployments.inference.kinds.base import Served
from deployments.inference.regions import EXTENSION, Regions
from deployments.inference.served import Catalogue
from deployments.security import audit
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
NOTHING = Figures()


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
        self._fleet: Fleet = pipeline.fleet
        self._config = config
        self._refusing = refusing
        self._cluster_figures = cluster_figures
        self._regions = regions
        self._catalogue = Catalogue(pipeline, config)

    def routes(self) -> list[Route]:
        infer = InferEndpoint(self._catalogue, self._pipeline, self._config.limits, self._regions)
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
        body = {"name": "dragoman", "version": __version__, "extensions": [*EXTENSIONS, *shared]}
        return JSONResponse(body)

    async def server_ready(self, request: Request) -> Response:
        return readiness(self._fleet.is_ready(), self._refusing())

    # ---- a model -------------------------------------------------------------------------

    def _served(self, request: Request) -> Served:
        path = request.path_params
        return self._catalogue.get(path["name"], path.get("version"))

    def _own_config(self, name: str) -> ModelConfig | None:
        """Return what a model was loaded with; None where the name is no model's own."""
        config = self._config.models.get(name)
        placement = self._fleet.placements().get(name)
        override = placement.override if placement else None
        return override.config(name, config) if config and override else config

    async def metadata(self, request: Request) -> Response:
        served = self._served(request)
        body = {
            "name": served.name,
            "versions": [MODEL_VERSION],
            "platform": model_config.platform(served, self._own_config(served.name)),
            "inputs": signature.metadata(served.signature.inputs),
            "outputs": signature.metadata(served.signature.outputs),
        }
        return JSONResponse(body)

    async def configuration(self, request: Request) -> Response:
        served = self._served(request)
        config = self._own_config(served.name)
        policy = self._fleet.follower.policy(served.name) if config else None
        return JSONResponse(model_config.as_json(served, config, policy))

    async def ready(self, request: Request) -> Response:
        served = self._served(request)
        is_ready = self._placement(served).state == "READY"
        return readiness(is_ready, self._refusing(), name=served.name)

    async def statistics(self, request: Request) -> Response:
        served = self._served(request)
        return self._as_statistics([served], await self._cluster_figures.figures())

    async def all_statistics(self, request: Request) -> Response:
        served = [self._catalogue.get(name) for name in self._catalogue.names()]
        return self._as_statistics(served, await self._cluster_figures.figures())

    def _as_statistics(self, served: list[Served], figures: Mapping[str, Figures]) -> Response:
        rows = []
        for each in served:
            names = [each.name] if each.name in figures else self._models_of(each)
            parts = [figures.get(name, NOTHING) for name in names]
            rows.append(statistics.as_json(each.name, total(parts).statistics))
        return JSONResponse({"model_stats": rows})

    # ---- the repository ------------------------------------------------------------------

    def _placement(self, served: Served) -> Placement:
        """Return the placement of a name: that of its first model that is not ready."""
        placements = self._fleet.placements()
        parts = [placements[name] for name in self._models_of(served)]
        return next((part for part in parts if part.state != "READY"), parts[0])

    async def index(self, request: Request) -> Response:
        options = await _json_object(request)
        ready_only = options.get("ready", False)
        if not isinstance(ready_only, bool):
            raise InvalidRequest("ready must be true or false", param="ready")
        rows = []
        for name in self._catalogue.names():
            placement = self._placement(self._catalogue.get(name))
            if placement.state == "READY" or not ready_only:
                row = {"name": name, "version": MODEL_VERSION, "state": placement.state}
                rows.append({**row, "reason": placement.reason})
        return JSONResponse(rows)

    async def load(self, request: Request) -> Response:
        served = self._catalogue.get(request.path_params["name"])
        parameters = await _parameters(request)
        has_config, text = "config" in parameters, parameters.pop("config", None)
        if has_config and not isinstance(text, str):
            raise InvalidRequest("parameter 'config' must be a JSON text", param="config")
        if parameters:
            message = f"parameter '{next(iter(parameters))[:80]}' of load is not supported"
            raise InvalidRequest(message, param="parameters")
        if served.name not in self._config.models:
            return await self._load_all(served, text)
        override = None
        if text is not None:
            policy = self._fleet.follower.base_policy(served.name)
            show = model_config.as_json if served.is_known else model_config.settings_json
            base = show(served, self._config.models[served.name], policy)
            override = model_config.override(text, base)
        with audit.action("load", model=served.name, **_told(override)):
            if override is not None:
                own = self._config.models[served.name]
                check_load(override, own, self._config.security.load_allow)
            await self._fleet.directory.load(served.name, override)
        return Response()

    async def _load_all(self, served: Served, text: str | None) -> Response:
        if text is not None:
            message = f"'{served.name}' has no configuration of its own; load its models with one"
            raise InvalidRequest(message, param="config")
        for name in self._models_of(served):
            if self._fleet.placements()[name].state != "READY":
                with audit.action("load", model=name):
                    await self._fleet.directory.load(name)
        return Response()

    async def unload(self, request: Request) -> Response:
        served = self._catalogue.get(request.path_params["name"])
        parameters = await _parameters(request)
        with_dependents = parameters.pop("unload_dependents", False)
        if parameters or not isinstance(with_dependents, bool):
            message = "unload takes one parameter, unload_dependents: true or false"
            raise InvalidRequest(message, param="parameters")
        if served.name not in self._config.models and not with_dependents:
            message = f"'{served.name}' holds no memory of its own; to unload its models"
            raise InvalidRequest(f"{message}, send unload_dependents: true", param="parameters")
        for name in self._models_of(served):
            with audit.action("unload", model=name):
                await self._fleet.directory.unload(name)
        return Response()

    def _models_of(self, served: Served) -> list[str]:
        """List the configured models behind a name."""
        if served.name in self._config.models:
            return [served.name]
        return [
            name for step in served.steps for name in self._models_of(self._catalogue.get(step))
        ]


def _told(override: ModelOverride | None) -> dict[str, str]:
    """Return what of a model is changed, for the audit log."""
    if not override:
        return {}
    return {"changes": json.dumps({**override.model, **override.policy}, default=str)}


async def _json_object(request: Request) -> dict[str, Any]:
    """Read a JSON object; an empty body is an empty object."""
    data = await body(request.receive)
    return json_object(data) if data.strip() else {}


async def _parameters(request: Request) -> dict[str, Any]:
    found = (await _json_object(request)).get("parameters", {})
    if not isinstance(found, dict):
        raise InvalidRequest("parameters must be a JSON object", param="parameters")
    return dict(found)
