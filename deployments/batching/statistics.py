"""Counts and times of what one model has done, in Triton's terms; they add up over processes.

The terms are those of Triton's statistics extension: a request has one or more rows, an execution
is one batch that the model ran.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeAlias

from deployments.batching.histograms import Times
from models.errors import CallerError, DeadlinePassed, QueueDeadlinePassed, QueueFull

NS = 1_000_000_000
Reason: TypeAlias = Literal["REJECTED", "CANCELED", "BACKEND", "OTHER"]
REASONS: tuple[Reason, ...] = ("REJECTED", "CANCELED", "BACKEND", "OTHER")  # of failed requests


@dataclass(slots=True)
class Duration:
    """Count how often something was timed, and sum the times."""

    count: int = 0
    ns: int = 0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.ns += round(seconds * NS)


@dataclass(slots=True)
class Executions:
    """The executions of one batch size."""

    compute_input: Duration = field(default_factory=Duration)
    compute_infer: Duration = field(default_factory=Duration)
    compute_output: Duration = field(default_factory=Duration)


@dataclass(slots=True)
class Stages:
    """The time of one request, or of one execution, by stage."""

    queue_s: float = 0.0  # until a replica began with it, waiting behind another batch included
    input_s: float = 0.0  # to the replica
    infer_s: float = 0.0  # that the model ran
    output_s: float = 0.0  # back from it


@dataclass(slots=True)
class ModelStatistics:
    """Counts since the start; each stage of a request with several rows is its slowest row's."""

    last_inference_ms: int = 0  # Unix time
    inference_count: int = 0  # rows that the model answered; not those from the cache
    execution_count: int = 0
    success: Duration = field(default_factory=Duration)
    fail: Duration = field(default_factory=Duration)
    queue: Duration = field(default_factory=Duration)
    compute_input: Duration = field(default_factory=Duration)
    compute_infer: Duration = field(default_factory=Duration)
    compute_output: Duration = field(default_factory=Duration)
    cache_hit: Duration = field(default_factory=Duration)  # of requests whose every row was there
    cache_miss: Duration = field(default_factory=Duration)
    executions: dict[int, Executions] = field(default_factory=dict)  # by batch size
    failures: dict[Reason, int] = field(default_factory=dict)
    durations: Times = field(default_factory=Times)  # of successful requests
    queue_times: Times = field(default_factory=Times)
    cost: float = 0.0  # of all executions, padded; in the unit of the kind
    padding_cost: float = 0.0  # the part of it that no item had asked for
    refused: int = 0  # requests that a full queue did not take
    expired_in_queue: int = 0  # items
    expired_running: int = 0
    abandoned: int = 0  # items whose caller left while they waited
    split: int = 0  # batches that failed as a whole and were tried item by item
    sent_again: int = 0  # batches whose replica died

    def executed(
        self, rows: int, answered: int, stages: Stages, *, cost: float, useful: float
    ) -> None:
        """Count a batch of ``rows`` that came back, ``answered`` of them with a result.

        ``cost`` is the batch's with its padding, ``useful`` the sum of its items' own lengths.
        """
        self.execution_count += 1
        self.inference_count += answered
        self.last_inference_ms = int(time.time() * 1000)
        of_size = self.executions.get(rows)
        if of_size is None:
            of_size = self.executions[rows] = Executions()
        of_size.compute_input.add(stages.input_s)
        of_size.compute_infer.add(stages.infer_s)
        of_size.compute_output.add(stages.output_s)
        self.cost += cost
        self.padding_cost += max(0.0, cost - useful)

    def succeeded(self, duration_s: float, stages: Stages) -> None:
        """Count a request that the model answered."""
        self.success.add(duration_s)
        self.durations.add(duration_s)
        self.queue.add(stages.queue_s)
        self.queue_times.add(stages.queue_s)
        self.compute_input.add(stages.input_s)
        self.compute_infer.add(stages.infer_s)
        self.compute_output.add(stages.output_s)

    def hit(self, duration_s: float, lookup_s: float) -> None:
        """Count a request that was answered from the cache alone."""
        self.success.add(duration_s)
        self.durations.add(duration_s)
        self.cache_hit.add(lookup_s)
        self.last_inference_ms = int(time.time() * 1000)

    def failed(self, duration_s: float, reason: Reason) -> None:
        """Count a request that failed."""
        self.fail.add(duration_s)
        self.failures[reason] = self.failures.get(reason, 0) + 1


@dataclass(slots=True)
class Figures:
    """One model: what it has done since the start, and what it does now."""

    statistics: ModelStatistics = field(default_factory=ModelStatistics)
    waiting: int = 0  # items
    pending: int = 0  # requests of which an item waits
    in_flight: int = 0  # batches


def reason_of(error: BaseException) -> Reason:
    """Return Triton's word for why a request failed."""
    if isinstance(error, QueueFull | QueueDeadlinePassed):
        return "REJECTED"
    if isinstance(error, asyncio.CancelledError | DeadlinePassed):
        return "CANCELED"
    if isinstance(error, CallerError):
        return "OTHER"
    return "BACKEND"


def total(parts: Iterable[Figures]) -> Figures:
    """Return the sum over processes; the last inference is the latest."""
    sum_ = Figures()
    for part in parts:
        latest = max(sum_.statistics.last_inference_ms, part.statistics.last_inference_ms)
        add(sum_, part)
        sum_.statistics.last_inference_ms = latest
    return sum_


def add(mine: Any, other: Any) -> None:
    """Add every figure of ``other`` to ``mine``, of one type, however deep."""
    for each in fields(mine):
        own, theirs = getattr(mine, each.name), getattr(other, each.name)
        if isinstance(own, int | float):
            setattr(mine, each.name, own + theirs)
        elif isinstance(own, list):
            own[:] = [a + b for a, b in zip(own, theirs, strict=True)]
        elif isinstance(own, dict):
            _add_to_dict(own, theirs)
        else:
            add(own, theirs)


def _add_to_dict(mine: dict[Any, Any], other: dict[Any, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, int):
            mine[key] = mine.get(key, 0) + value
        else:
            add(mine.setdefault(key, type(value)()), value)
