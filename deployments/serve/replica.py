"""Run a model in a replica of Serve: the one deployment class for every engine."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ray
from ray import serve

from deployments.catalogue.generation import ModelOverride
from deployments.catalogue.placements import Description
from deployments.serve.batch_transport import Lent, Packed, Ran
from deployments.serve.gathering import Bounds, Gathering
from deployments.serve.pace import measured
from deployments.serve.replica_address import stay_on_loopback
from deployments.serve.runner import Runner
from deployments.serve.shared_memory import Opened
from deployments.serve.watchdog import Watchdog
from deployments.telemetry.log import LogFormat, logger, set_up
from deployments.telemetry.model_report import ReplicaStats
from models.contract.spec import wrong_spec
from models.devices import nvidia
from models.devices.device import load_failure, measured_again
from models.errors import ConfigError
from models.registry import find_engine
from models.runtime import RuntimeSettings
from models.weights.licences import check_accepted

# Ray schedules by it and bounds nothing; a model's threads bound its CPU.
CPUS_A_REPLICA = 0.05


@serve.deployment
class ModelReplica:
    """Run one runtime on a thread of its own, loaded and warm before the replica is ready.

    The event loop only moves batches; the runtime never blocks it.
    """

    def __init__(
        self,
        engine: str,
        settings: RuntimeSettings,
        override: ModelOverride | None = None,
        log_format: LogFormat = "text",
    ) -> None:
        set_up(log_format)
        stay_on_loopback()
        self._name = settings.name
        self._override = override
        self._accepts_licence = settings.accepts_licence
        self._stats = ReplicaStats(replica=serve.get_replica_context().replica_id.unique_id)
        self._opened = Opened()
        self._watchdog: Watchdog | None = None
        if not settings.device.may_use_gpu:
            os.environ[nvidia.VISIBLE] = (
                ""  # before any library looks, as Ray may not have hidden it
            )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=settings.name)
        found = find_engine(engine)
        self._engine = found.engine
        self._runtime = found.create(settings)
        self._description = self._thread.submit(self._load).result()
        device = self._description.device.actual
        bound_s = self._description.spec.max_run_s
        self._watchdog = Watchdog(settings.name, device, log_format, bound_s)
        self._runner = Runner(
            settings.name, self._runtime, self._stats, self._watchdog, on_gpu=device == "cuda"
        )
        self._gathering = Gathering(self._runner.run, self._thread)
        gc.collect()
        gc.freeze()  # what is loaded stays; a search through it for cycles would hold a batch up

    async def infer(
        self,
        items: Sequence[Any] | Lent,
        bounds: Bounds | None = None,
        held_s: Sequence[float] = (),
    ) -> Packed[Any] | None:
        """Run one batch.

        Args:
            items: of the runtime's item type, or where they are; a plain list will do.
            bounds: of the batch that others' may join it in; None: it runs alone.
            held_s: how long each item was kept back because this replica was busy; empty: not.

        Returns:
            A result or an ``ItemError`` for each item, in order, and when they ran. None, if the
            items lie in memory that is not here.
        """
        received_at = time.time()
        rows = items.rows(self._opened) if isinstance(items, Lent) else items
        if rows is None:
            return None
        done = await self._gathering.run(rows, bounds, held_s)
        together = None if bounds is None else (done.ran, done.ran * (done.longest or 1.0))
        bound = self._runner.memory_bound
        ran = Ran(received_at, done.waited_s, done.execution_s, bound, together, done.busy_s)
        return Packed(done.results, ran)

    async def describe(self) -> Description:
        return self._description

    async def stats(self) -> ReplicaStats:
        return self._stats

    async def check_health(self) -> None:
        """Check the replica; Serve asks every 10 s, and replaces one that fails three times.

        Raises:
            RuntimeError: one batch holds the model's thread, or every batch fails (``Health``).
                A replica that hangs is ended long before, see ``Watchdog``.
        """
        self._runner.health.check()

    def __del__(self) -> None:  # Serve calls it when it stops a replica
        if self._watchdog is not None:
            self._watchdog.stop()
        self._thread.submit(self._runtime.close).result()

    def _load(self) -> Description:
        try:
            loaded = self._runtime.load()
            if wrong := wrong_spec(self._engine, loaded):
                raise ConfigError(f"models.{self._name}.engine: {wrong}")
            spec, device = loaded
            check_accepted(
                *(self._name, spec.weights, spec.licence), is_accepted=self._accepts_licence
            )
            started = time.perf_counter()
            self._runtime.warm_up()
            warm_up_s = time.perf_counter() - started
            pace = measured(self._runtime, spec)
        except Exception as error:
            raise load_failure(error) from error
        device = measured_again(device)
        logger.info(
            "model %s: %s on %s (%s), %s %s, %d threads, %.0f MB, loaded in %.1f s, warm in %.1f",
            *(self._name, spec.engine, device.gpu_name or device.actual, device.reason),
            *(device.library, device.precision, device.threads),
            *(device.memory_bytes / 1e6, device.load_s, warm_up_s),
        )
        replica = self._stats.replica
        node = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        return Description(spec, device, round(warm_up_s, 3), replica, node, self._override, pace)
