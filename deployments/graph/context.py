"""What goes with one request through every stage: its deadline, its timings, its warnings."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from deployments.batching.queue import Share
from deployments.batching.request import Request
from deployments.graph.codecs import Caller
from deployments.graph.timings import Timings
from models.types import AnswerWarning


@dataclass(frozen=True, slots=True)
class Context:
    """One request's own.

    Attributes:
        deadline: on the event loop's clock.
        priority: 1 is the most urgent; 0: each model's default; ``LIVE``: before all others;
            ``BACKGROUND``: behind them.
        queue_timeout_s: what an item may wait in a model's queue.
        timings: of its stages.
        places: by model, how many items may be in its queue at once.
        joint: by model, the batcher's request that all items belong to; see ``StageRunner.as_one``.
        warnings: of the request as a whole.
        caller: whose work the codecs do.
        shares: by model, this caller's part of its time.
    """

    deadline: float
    priority: int = 0
    queue_timeout_s: float | None = None
    timings: Timings = field(default_factory=Timings)
    places: dict[str, asyncio.Semaphore] = field(default_factory=dict)
    joint: dict[str, Request[Any, Any]] = field(default_factory=dict)
    warnings: list[AnswerWarning] = field(default_factory=list)
    caller: Caller = field(default_factory=Caller)
    shares: dict[str, Share] = field(default_factory=dict)
