"""The models by name, whatever the protocol: what they are, do and have done, load and unload."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from deployments import __version__
from deployments.batching.statistics import Figures, total
from deployments.catalogue.generation import ModelOverride
from deployments.catalogue.load_rules import check_load
from deployments.catalogue.placements import Placement
from deployments.config.names import MODEL_VERSION
from deployments.config.schema import AppConfig, ModelConfig
from deployments.graph.pipeline import Pipeline
from deployments.inference import model_config, signature, statistics
from deployments.inference.kinds.base import Served
from deployments.inference.served import Catalogue
from deployments.security import audit
from deployments.telemetry.cluster_figures import ClusterFigures
from models.errors import InvalidRequest

SERVER = {"name": "dragoman", "version": __version__}
NOTHING = Figures()


class Repository:
    """Answer for every name of the catalogue, in Triton's documents."""

    def __init__(
        self, pipeline: Pipeline, config: AppConfig, cluster_figures: ClusterFigures
    ) -> None:
        self._fleet = pipeline.fleet
        self._config = config
        self._cluster_figures = cluster_figures
        self.catalogue = Catalogue(pipeline, config)

    @property
    def is_server_ready(self) -> bool:
        return self._fleet.is_ready()

    # ---- a model -------------------------------------------------------------------------

    def metadata(self, served: Served) -> dict[str, Any]:
        """Return a model's metadata."""
        return {
            "name": served.name,
            "versions": [MODEL_VERSION],
            "platform": model_config.platform(served, self._own_config(served.name)),
            "inputs": signature.metadata(served.signature.inputs),
            "outputs": signature.metadata(served.signature.outputs),
        }

    def configuration(self, served: Served) -> dict[str, Any]:
        """Return a model's configuration in Triton's words."""
        config = self._own_config(served.name)
        policy = self._fleet.follower.policy(served.name) if config else None
        return model_config.as_json(served, config, policy)

    def is_ready(self, served: Served) -> bool:
        """Tell whether a name can be asked now."""
        return self._placement(served).state == "READY"

    async def statistics(self, served: Sequence[Served] | None = None) -> list[dict[str, Any]]:
        """Return what these have done; None: all."""
        if served is None:
            served = [self.catalogue.get(name) for name in self.catalogue.names()]
        figures = await self._cluster_figures.figures()
        rows = []
        for each in served:
            names = [each.name] if each.name in figures else self._models_of(each)
            parts = [figures.get(name, NOTHING) for name in names]
            rows.append(statistics.as_json(each.name, total(parts).statistics))
        return rows

    def _own_config(self, name: str) -> ModelConfig | None:
        """Return what a model was loaded with; None where the name is no model's own."""
        config = self._config.models.get(name)
        placement = self._fleet.placements().get(name)
        override = placement.override if placement else None
        return override.config(name, config) if config and override else config

    # ---- the repository ------------------------------------------------------------------

    def index(self, *, ready_only: bool) -> list[dict[str, str]]:
        """List every name with its state, and why it is in that."""
        rows = []
        for name in self.catalogue.names():
            placement = self._placement(self.catalogue.get(name))
            if placement.state == "READY" or not ready_only:
                row = {"name": name, "version": MODEL_VERSION, "state": placement.state}
                rows.append({**row, "reason": placement.reason})
        return rows

    async def load(self, name: str, config: str | None) -> None:
        """Load a model, or all behind a name.

        Args:
            name: of the catalogue.
            config: another configuration in Triton's words, as JSON; None: the file's own.

        Raises:
            DragomanError: there is no such name, or it cannot be loaded so.
        """
        served = self.catalogue.get(name)
        if name not in self._config.models:
            await self._load_all(served, config)
            return
        override = None
        if config is not None:
            policy = self._fleet.follower.base_policy(name)
            show = model_config.as_json if served.is_known else model_config.settings_json
            base = show(served, self._config.models[name], policy)
            override = model_config.override(config, base)
        with audit.action("load", model=name, **_told(override)):
            if override is not None:
                own = self._config.models[name]
                check_load(override, own, self._config.security.load_allow)
            await self._fleet.directory.load(name, override)

    async def _load_all(self, served: Served, config: str | None) -> None:
        if config is not None:
            message = f"'{served.name}' has no configuration of its own; load its models with one"
            raise InvalidRequest(message, param="config")
        for name in self._models_of(served):
            if self._fleet.placements()[name].state != "READY":
                with audit.action("load", model=name):
                    await self._fleet.directory.load(name)

    async def unload(self, name: str, *, with_dependents: bool) -> None:
        """Unload a model, or ``with_dependents`` all behind a name. Raises DragomanError."""
        served = self.catalogue.get(name)
        if name not in self._config.models and not with_dependents:
            message = f"'{name}' holds no memory of its own; to unload its models"
            raise InvalidRequest(f"{message}, send unload_dependents: true", param="parameters")
        for each in self._models_of(served):
            with audit.action("unload", model=each):
                await self._fleet.directory.unload(each)

    def _placement(self, served: Served) -> Placement:
        """Return the placement of a name: that of its first model that is not ready."""
        placements = self._fleet.placements()
        parts = [placements[name] for name in self._models_of(served)]
        return next((part for part in parts if part.state != "READY"), parts[0])

    def _models_of(self, served: Served) -> list[str]:
        """List the configured models behind a name."""
        if served.name in self._config.models:
            return [served.name]
        return [name for step in served.steps for name in self._models_of(self.catalogue.get(step))]


def _told(override: ModelOverride | None) -> dict[str, str]:
    """Return what of a model is changed, for the audit log."""
    if not override:
        return {}
    return {"changes": json.dumps({**override.model, **override.policy}, default=str)}
