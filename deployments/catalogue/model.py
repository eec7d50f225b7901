"""Hold a model that was ready once, with its batcher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deployments.batching.batcher import Batcher
from models.runtime import RuntimeSpec


@dataclass(slots=True)
class Model:
    """A model's name, what it can do, and the batcher before its replicas."""

    name: str
    spec: RuntimeSpec
    batcher: Batcher[Any, Any]
