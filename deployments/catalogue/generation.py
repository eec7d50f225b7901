"""Name one generation of a model: its configuration, with what an operator changed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ValidationError

from deployments.config.files import messages
from deployments.config.licences import licence_of
from deployments.config.policy import BatchPolicy
from deployments.config.schema import ModelConfig
from models.errors import InvalidRequest
from models.registry import is_reference
from models.weights.source import UNKNOWN_LICENCE

DIGEST_CHARS = 8
SHOWN_CHARS = 80  # of a value that is refused
HEX = f"[0-9a-f]{{{DIGEST_CHARS}}}"
# Another value of these fields loads no model again, as they change nothing in a replica.
NOT_THE_REPLICAS = {"idle_unload_s"}

ConfigT = TypeVar("ConfigT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ModelOverride:
    """Fields that replace those of the configuration, until the model is loaded without them."""

    model: Mapping[str, Any] = field(default_factory=dict)  # of ModelConfig
    policy: Mapping[str, Any] = field(default_factory=dict)  # of BatchPolicy

    def __bool__(self) -> bool:
        return bool(self.model or self.policy)

    def config(self, name: str, base: ModelConfig) -> ModelConfig:
        """Return the model's configuration with these fields in it.

        Raises:
            InvalidRequest: a field is unknown or wrong, or the engine is of another kind, or it
                is a class that the configuration does not name: to look at that is to run its
                module; or it accepts a licence.
        """
        if "accept_license" in self.model:
            message = "accept_license: only the configuration accepts a licence"
            raise InvalidRequest(message, param="config")
        engine = self.model.get("engine", base.engine)
        if engine != base.engine and is_reference(str(engine)):
            message = f"engine {str(engine)[:SHOWN_CHARS]!r}: only the configuration names a class"
            raise InvalidRequest(message, param="engine")
        config = _with_fields(base, self.model, f"models.{name}")
        if config.kind != base.kind:
            message = f"model {name!r} is a {base.kind} model; {config.engine} is {config.kind}"
            raise InvalidRequest(message, param="engine")
        return config.model_copy(update={"accept_license": _accepts(base, config)})

    def batching(self, base: BatchPolicy) -> BatchPolicy:
        """Return a batch policy with these fields in it. Raises InvalidRequest."""
        return _with_fields(base, self.policy, "batching")


def _accepts(base: ModelConfig, changed: ModelConfig) -> bool:
    """Tell whether what the configuration accepts holds for what an operator loads instead.

    It does for the same weights, and for others under the same licence.
    """
    if not base.accept_license or (changed.engine, changed.weights) == (base.engine, base.weights):
        return base.accept_license
    licence = licence_of(base)
    return licence != UNKNOWN_LICENCE and licence_of(changed) == licence


def _with_fields(base: ConfigT, fields: Mapping[str, Any], where: str) -> ConfigT:
    try:
        return type(base).model_validate({**base.model_dump(), **fields}, strict=True)
    except ValidationError as error:
        raise InvalidRequest(messages(error, where)[0], param="config") from error


@dataclass(frozen=True, slots=True)
class Generation:
    """A model as it is loaded: ``app`` is the name of its own Serve application."""

    name: str
    app: str
    config: ModelConfig
    override: ModelOverride | None = None

    @classmethod
    def of(cls, name: str, base: ModelConfig, override: ModelOverride | None = None) -> Self:
        """Name the generation of a model. Raises InvalidRequest: the override does not fit."""
        app = f"{name}-{_digest(base.model_dump(mode='json', exclude=NOT_THE_REPLICAS))}"
        if not override:
            return cls(name, app, base)
        override.batching(BatchPolicy())
        config = override.config(name, base)
        changes = _digest([dict(override.model), dict(override.policy)])
        return cls(name, f"{app}-{changes}", config, override)

    def is_base_of(self, app: str) -> bool:
        """Tell whether an application is this generation, or this one with an override."""
        return re.fullmatch(rf"{re.escape(self.app)}(-{HEX})?", app) is not None


def model_of(app: str, *deployments: str) -> str | None:
    """Return the model of an application with these deployments; None if it has none."""
    name = re.escape(deployments[0]) if len(deployments) == 1 else ".+?"
    found = re.fullmatch(rf"({name})-{HEX}(-{HEX})?", app)
    return found[1] if found and len(deployments) < 2 else None


def _digest(content: Any) -> str:
    canonical = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:DIGEST_CHARS]
