"""The batch policy: how one model's batches are formed, changed live under ``user_config``."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

NO_BOUND = 1 << 30  # requests: a queue that takes them all


class Strict(BaseModel):
    """Refuse unknown keys: a misspelt setting must not be dropped in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BatchPolicy(Strict):
    """Form the batches of one model. Changes apply live; no model is loaded again."""

    max_batch_size: Annotated[int, Field(ge=1, le=1024)] = 8
    """Most rows of one batch; an engine may have a smaller bound of its own."""
    max_batch_cost: Annotated[float, Field(gt=0)] | None = None
    """Most of a batch's cost: its rows times its longest row, which counts in audio seconds, in
    characters for nmt and tts, or in values for tensors. null: no bound."""
    max_batch_s: Annotated[float, Field(gt=0)] | None = None
    """Most seconds that a batch may take, as measured, while shorter items wait. null: no bound."""
    max_batch_s_beside_live: Annotated[float, Field(gt=0)] | None = 0.5
    """Most seconds that a batch may take, as measured, while a live session is open: live speech
    waits behind it. One item always goes. null: no bound."""
    max_padding: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Largest share of a batch's cost that may be padding."""
    max_queue_delay_ms: Annotated[float, Field(ge=0, le=60_000)] = 5.0
    """Most milliseconds that the oldest item waits for a fuller batch. While every replica is busy,
    a batch gathers until just before one is free; a free one waits only for callers who ask again
    at once, where that pays."""
    delay_when_idle: bool = False
    """Wait as long for a fuller batch where a replica is free, too, as Triton does."""
    max_queue_size: Annotated[int, Field(ge=1, le=NO_BOUND)] = 256
    """Most requests that wait, beside those that run; one more is answered 503."""
    default_timeout_s: Annotated[float, Field(gt=0, le=1e9)] | None = None
    """Seconds that a request may wait in the queue if it does not say so itself. null: until its
    deadline."""
    priority_levels: Annotated[int, Field(ge=1, le=100)] = 1
    """Number of priorities; 1 is the most urgent."""
    default_priority: Annotated[int, Field(ge=1)] = 1
    """Priority of a request that names none."""
    preserve_ordering: bool = False
    """Send answers in the order in which their items left the queue."""
    response_cache: bool = False
    """Keep answers by the content of their items, within ingress.response_cache_bytes."""

    @model_validator(mode="after")
    def _default_is_a_level(self) -> Self:
        if self.default_priority > self.priority_levels:
            raise ValueError("default_priority must not be above priority_levels")
        return self


class IngressUserConfig(Strict):
    """Change a running server without loading a model again."""

    batching: dict[str, BatchPolicy] = {}
    """The batch policy of each model, by its name. A model that is not named has the defaults."""
