"""Run a model's batches on its one thread, within its memory, and count them; free of Ray."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from deployments.serve.memory_bound import MemoryBound, cost_of
from deployments.serve.replica_health import Health
from deployments.telemetry.log import logger
from deployments.telemetry.model_report import ReplicaStats
from models.devices.device import free_torch_memory, is_out_of_memory
from models.errors import DragomanError, InternalError, TooLarge, Unavailable
from models.runtime import ItemError, Runtime


class Watch(Protocol):
    """Take notice of each batch; see ``Watchdog``."""

    def begin(self, cost: float) -> None: ...

    def end(self, cost: float, took_s: float | None) -> None: ...


class Runner:
    """Call ``Runtime.run``, and hold it to its contract.

    A batch that finds no memory on the GPU runs in halves, and later ones are not larger.

    Args:
        name: of the model.
        runtime: loaded and warm.
        stats: the replica's counts, which this class updates.
        watch: ends a replica that hangs.
        on_gpu: whether the model runs on one.
        clock: tells seconds.
    """

    def __init__(
        self,
        name: str,
        runtime: Runtime[Any, Any],
        stats: ReplicaStats,
        watch: Watch,
        *,
        on_gpu: bool,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._name = name
        self._runtime = runtime
        self._stats = stats
        self._watch = watch
        self._on_gpu = on_gpu
        self._clock = clock
        self._longest = 0.0  # item that has run
        self._bound = MemoryBound(clock)
        self.health = Health(name)

    def run(self, items: Sequence[Any]) -> tuple[list[Any], float]:
        """Run a batch.

        Returns:
            A result or an ``ItemError`` for each item, in order, and how long that took (s).
        """
        lengths = [item.length for item in items]
        cost, started = cost_of(lengths), self._clock()
        self.health.begin()
        self._watch.begin(cost)
        starved = self._stats.starved_items
        try:
            results = self._within_memory(items, lengths)
        except Exception:
            self._stats.failed_batches += 1
            self._watch.end(cost, None)
            self.health.end(failed=self._on_gpu)
            raise
        execution_s = self._clock() - started
        self._watch.end(cost, execution_s)
        self.health.end(failed=self._stats.starved_items > starved)
        self._count(results, execution_s)
        return results, execution_s

    @property
    def memory_bound(self) -> float | None:
        """Return the largest cost that fits; None: every batch has fitted."""
        return self._bound.cost

    def _count(self, results: Sequence[Any], execution_s: float) -> None:
        stats = self._stats
        if stats.first_batch_s is None:
            stats.first_batch_s = execution_s
        stats.batches += 1
        stats.items += len(results)
        stats.item_errors += sum(isinstance(result, ItemError) for result in results)
        stats.busy_s += execution_s
        stats.memory_bound = self._bound.cost

    # ---- memory --------------------------------------------------------------------------

    def _within_memory(self, items: Sequence[Any], lengths: Sequence[float]) -> list[Any]:
        parts = self._bound.parts(lengths)
        if len(parts) == 1:
            return self._part(items, lengths)
        results: list[Any] = [None] * len(items)
        for part in parts:
            answers = self._part([items[i] for i in part], [lengths[i] for i in part])
            for index, answer in zip(part, answers, strict=True):
                results[index] = answer
        return results

    def _part(self, items: Sequence[Any], lengths: Sequence[float]) -> list[Any]:
        """Run some rows together, or in halves if they find no memory."""
        results = self._attempt(items, lengths)
        if results is not None:
            return results
        if len(items) > 1:
            self._bound.exceeded(cost_of(lengths))
            logger.warning(
                "model %r found no memory for %d items: no batch may cost more than %.6g now",
                *(self._name, len(items), self._bound.cost),
            )
            middle = len(items) // 2
            first = self._part(items[:middle], lengths[:middle])
            return first + self._part(items[middle:], lengths[middle:])
        return self._attempt(items, lengths) or [ItemError(self._does_not_fit(lengths[0]))]

    def _attempt(self, items: Sequence[Any], lengths: Sequence[float]) -> list[Any] | None:
        """Run a batch; if there is not enough memory, free what can be freed and return None."""
        try:
            results = self._runtime.run(items)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            self._stats.out_of_memory += 1
        else:
            if len(results) != len(items):
                raise InternalError(f"{len(results)} results for {len(items)} items")
            self._longest = max(self._longest, *lengths)
            return results
        gc.collect()  # the frames that held the batch are gone only here
        free_torch_memory()
        return None

    def _does_not_fit(self, length: float) -> DragomanError:
        """Say why an item alone found no memory: it is too long, or others have taken memory."""
        if length > self._longest:
            return TooLarge(
                f"model {self._name!r} has not enough memory for an item of length {length:.6g}; "
                "send a shorter one"
            )
        self._stats.starved_items += 1
        return Unavailable(f"model {self._name!r} finds no memory on its GPU for now")
