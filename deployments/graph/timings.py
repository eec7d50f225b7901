"""Time the stages of one request: how long each took, waited and ran, in which batches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from deployments.batching.queue import Outcome
from deployments.telemetry import tracing


@dataclass(frozen=True, slots=True)
class StageTiming:
    """The figures of one stage. Means are over its items; zero where no model ran."""

    stage: str
    model: str | None
    ms: float  # wall time, from the first start to the last end
    queue_ms: float  # mean: in the batcher's queue and on the way
    execution_ms: float  # mean: of the batches that the items were in
    items: int
    batch_size: float  # mean: items of all callers in the batches that its items were in


@dataclass(slots=True)
class _Stage:
    """One stage; a context manager around each of its parts."""

    model: str | None
    started: float
    ended: float = 0.0
    outcomes: list[Outcome[Any]] = field(default_factory=list)

    def __enter__(self) -> list[Outcome[Any]]:
        return self.outcomes

    def __exit__(self, *_: object) -> None:
        self.ended = time.perf_counter()


class Timings:
    """Collects one request's stages; stages may overlap."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._stages: dict[str, _Stage] = {}

    def stage(
        self, name: str, model: str | None = None
    ) -> AbstractContextManager[list[Outcome[Any]]]:
        """Time a part of a stage; append the outcomes of its items to what this yields."""
        stage = self._stages.get(name)
        if stage is None:
            stage = self._stages[name] = _Stage(model, time.perf_counter())
        return self._traced(stage, name, model) if tracing.is_on() else stage

    @contextmanager
    def _traced(self, stage: _Stage, name: str, model: str | None) -> Iterator[list[Outcome[Any]]]:
        outcomes: list[Outcome[Any]] = []  # of this part alone
        with stage as every, tracing.stage(name, model, outcomes):
            yield outcomes
            every += outcomes

    @property
    def total_ms(self) -> float:
        """Return the time since the request began."""
        return (time.perf_counter() - self._started) * 1000

    def stages(self) -> list[StageTiming]:
        """List the stages in the order of their first start."""
        return [_timing(name, stage) for name, stage in self._stages.items()]

    def as_json(self) -> dict[str, Any]:
        """Show the stages as the bodies of answers have them."""
        fields = StageTiming.__slots__
        stages = [{name: getattr(stage, name) for name in fields} for stage in self.stages()]
        return {"total_ms": round(self.total_ms, 1), "stages": stages}

    def server_timing(self) -> str:
        """Write the value of a ``Server-Timing`` header (W3C)."""
        parts = []
        for stage in self.stages():
            part = f"{stage.stage};dur={stage.ms:.1f}"
            if stage.items:
                part += f';desc="queue {stage.queue_ms:.1f} ms, batch {stage.batch_size:.1f}"'
            parts.append(part)
        return ", ".join([*parts, f"total;dur={self.total_ms:.1f}"])


def _timing(name: str, stage: _Stage) -> StageTiming:
    waited_s = execution_s = batch_sizes = 0.0
    for outcome in stage.outcomes:
        waited_s += outcome.waited_s
        execution_s += outcome.execution_s
        batch_sizes += outcome.batch_size
    count = len(stage.outcomes) or 1
    return StageTiming(
        stage=name,
        model=stage.model,
        ms=round((stage.ended - stage.started) * 1000, 1),
        queue_ms=round(1000 * waited_s / count, 1),
        execution_ms=round(1000 * execution_s / count, 1),
        items=len(stage.outcomes),
        batch_size=round(batch_sizes / count, 2),
    )
