"""How many replicas a model has, where that follows its load."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from deployments.config.policy import Strict

IDLE_S = 300.0  # after which a model that may have no replica is unloaded


class ReplicaRange(Strict):
    """Have as many replicas as the load needs."""

    min: Annotated[int, Field(ge=0, le=256)] = 1
    """Fewest processes. 0: it is unloaded after idle_unload_s without a request, or after 300 s
    where that is null. The next request loads it, and is answered 503 with Retry-After."""
    max: Annotated[int, Field(ge=1, le=256)]
    """Most processes."""
    wait_s: Annotated[float, Field(gt=0)] = 1.0
    """Seconds that a new request would wait in a queue, as estimated, above which replicas are
    added."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.max < self.min:
            raise ValueError("max must not be below min")
        return self
