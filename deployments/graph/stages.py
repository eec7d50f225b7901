"""Single stages: one item through one model; the only way from the graph to a batcher."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from deployments.batching.concurrency import all_of
from deployments.batching.queue import Share
from deployments.batching.request import Request
from deployments.catalogue.model import Model
from deployments.graph.context import Context
from models.types import Item


class StageRunner:
    """Runs items, of which one request has so many places in a model's queue.

    A long recording then neither fills a queue nor is refused because of its own length.
    """

    def __init__(self, max_items_in_flight: int) -> None:
        self._max_items_in_flight = max_items_in_flight

    async def run(self, stage: str, model: Model, item: Item, context: Context) -> Any:
        """Return the result of one item, timed as a part of its stage."""
        if model.name not in context.places:
            self.bound(model, self.most_places(model), context)
        async with context.places[model.name]:
            return await self._submit(stage, model, item, context)

    async def run_all(
        self, stage: str, model: Model, items: Sequence[Item], context: Context
    ) -> list[Any]:
        """Return the results, in order, of items that are one request of one model."""
        if len(items) == 1:
            return [await self._submit(stage, model, items[0], context)]
        with self.as_one([model], context):
            return await all_of(self.run(stage, model, item, context) for item in items)

    @contextmanager
    def as_one(self, models: Iterable[Model], context: Context) -> Iterator[None]:
        """Make what runs inside one request of each of these models, however many its items."""
        with ExitStack() as stack:
            stack.callback(context.joint.clear)
            for model in models:
                if model.name not in context.joint:
                    request = stack.enter_context(self._request(model, context))
                    context.joint[model.name] = request
            yield

    def most_places(self, model: Model) -> int:
        """Return how many items of one request may be in a model's queue."""
        return max(self._max_items_in_flight, model.batcher.policy.max_batch_size)

    def bound(self, model: Model, places: int, context: Context) -> None:
        """Let no more than so many items of a request be in a model's queue at once."""
        context.places[model.name] = asyncio.Semaphore(places)

    async def _submit(self, stage: str, model: Model, item: Item, context: Context) -> Any:
        with context.timings.stage(stage, model.name) as outcomes:
            joint = context.joint.get(model.name)
            if joint is None:
                with self._request(model, context) as request:
                    outcome = await request.submit(item)
            else:
                outcome = await joint.submit(item)
            outcomes.append(outcome)
        return outcome.result

    def _request(self, model: Model, context: Context) -> Request[Any, Any]:
        share = context.shares.setdefault(model.name, Share())
        share.goes_on = len(context.shares) > 1
        return model.batcher.request(
            deadline=context.deadline,
            priority=context.priority,
            queue_timeout_s=context.queue_timeout_s,
            share=share,
        )
