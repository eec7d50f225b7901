"""Refuse a request before its audio is decoded, where its models' queues would refuse it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from deployments.batching.estimates.throughput import is_too_long
from deployments.batching.refusals import queue_full, queue_too_long
from deployments.batching.statistics import ModelStatistics
from deployments.catalogue.model import Model
from deployments.graph.context import Context


def admit(
    models: Sequence[Model], context: Context, statistics: ModelStatistics | None = None
) -> None:
    """Refuse now what the queues of a request's models would refuse.

    What the last of several models refuses has cost the others their time, too.

    Args:
        models: those that it must pass, one after another.
        context: the request's.
        statistics: where a refusal counts; None: in those of the model whose queue is to blame.

    Raises:
        QueueFull: a queue has no place, or all together take longer than the deadline.
    """
    models = [model for model in models if not model.batcher.caches]
    full = [model for model in models if not model.batcher.has_room()]
    expected_s = [model.batcher.expected_s(context.priority) for model in models]
    left_s = context.deadline - asyncio.get_running_loop().time()
    if not full and not is_too_long(sum(expected_s), left_s):
        return
    longest_s = max(expected_s)
    to_blame = full[0] if full else models[expected_s.index(longest_s)]
    statistics = statistics or to_blame.batcher.statistics
    statistics.refused += 1
    statistics.failed(0.0, "REJECTED")
    name = to_blame.name
    refused = queue_full(name) if full else queue_too_long(name, longest_s)
    refused.is_counted = True
    raise refused
