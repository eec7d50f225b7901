"""Decide which models run: load, unload and replace them; free of Ray.

A model runs in an application of its own. A new generation is started beside the one that serves.
The old one stays until the new one is warm and every ingress sends to it, so a load that fails
changes nothing. A control that was restarted finds what runs by the names of the applications, and
what was unloaded by asking the ingresses.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from deployments.batching.concurrency import detached
from deployments.catalogue.generation import Generation, ModelOverride
from deployments.catalogue.operations import Operations
from deployments.catalogue.placements import IDLE, UNLOADED, Placement, Placements
from deployments.catalogue.platform import AppStatus, Platform
from deployments.catalogue.scaling import Scaling
from deployments.config.schema import ModelConfig
from deployments.telemetry.log import logger
from models.errors import DragomanError, Draining, UnknownModel

WATCH_S = 20.0  # between looks at the applications that run
ROUND_S = 2.0  # between rounds of what the control does by itself
IDLE_LOOKS = 4  # at least, in the time after which an idle model is unloaded


class Control:
    """Run the operations on each model one after another, and watch what runs.

    Args:
        models: the configuration's.
        platform: runs the applications.
        clock: tells seconds.
    """

    def __init__(
        self,
        models: Mapping[str, ModelConfig],
        platform: Platform,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models = models
        self._platform = platform
        self._clock = clock
        self._ops = Operations(models, platform, clock)
        self._locks = {name: asyncio.Lock() for name in models}
        self._scaling = {name: Scaling() for name in models}
        self._wakes: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- requests ----------------------------------------------------------------------------

    def start(self) -> None:
        """Find what runs, start what is missing, and watch; on the running event loop."""
        self._spawn(self._run())

    async def placements(self) -> Placements:
        """Return where each model is, as soon as a restarted control knows."""
        await self._ops.recovered.wait()
        return self._ops.placements()

    async def load(self, name: str, override: ModelOverride | None = None) -> None:
        """Return once the model serves at every ingress, as configured but for ``override``.

        Raises:
            UnknownModel: no model has that name.
            InvalidRequest: the override does not fit.
            LoadFailed: it could not be loaded; what served before still does.
        """
        generation = Generation.of(name, self._configured(name), override)
        await self._alone(name, lambda: self._ops.load(generation))

    async def unload(self, name: str) -> None:
        """Return once the model's processes are gone; it stays unloaded until somebody loads it.

        Requests that wait or run are finished first, and new ones are refused.

        Raises:
            UnknownModel: no model has that name.
        """
        self._configured(name)
        await self._alone(name, lambda: self._ops.unload(name))

    async def wake(self, name: str) -> None:
        """Load a model that was unloaded as idle.

        Raises:
            UnknownModel: no model has that name.
            Unavailable: an operator has unloaded it, or it cannot be loaded.
        """
        self._configured(name)
        if name not in self._wakes:
            task = self._spawn(self._alone(name, lambda: self._ops.wake(name)))
            self._wakes[name] = task
            task.add_done_callback(lambda _: self._wakes.pop(name))
        await asyncio.shield(self._wakes[name])

    def _configured(self, name: str) -> ModelConfig:
        if name not in self._models:
            raise UnknownModel(f"there is no model {name[:80]!r}", param="model")
        return self._models[name]

    # ---- rounds ------------------------------------------------------------------------------

    async def _run(self) -> None:
        watched_at = self._clock()
        while True:
            try:
                if not self._ops.recovered.is_set():
                    await self._recover()
                if self._clock() - watched_at >= WATCH_S:
                    watched_at = self._clock()
                    await self._watch()
                await self._look_for_idle()
                await self._look_at_loads()
            except Draining:
                pass  # the models stop with the server
            except Exception:  # the models must be watched all the same
                logger.exception("looking after the models failed")
            await asyncio.sleep(self._pause_s())

    async def _recover(self) -> None:
        """Take over what runs and what was unloaded, and start what is missing."""
        status = await self._platform.status()
        known = await self._platform.recall()
        for name in self._models:
            mine = {app: s for app, s in status.items() if s.model == name}
            await self._take_over(name, mine, known.of.get(name) if known else None)
        for app, of in status.items():
            if of.model not in self._models:
                self._spawn(self._platform.delete(app))
        self._ops.recovered.set()

    async def _take_over(
        self, name: str, apps: Mapping[str, AppStatus], known: Placement | None
    ) -> None:
        if known is not None and known.reason in (UNLOADED, IDLE) and known.state != "READY":
            self._ops.placed[name] = replace(known, app=None, state="UNAVAILABLE")
            for app in apps:
                self._spawn(self._alone(name, partial(self._platform.delete, app)))
            return
        base = Generation.of(name, self._models[name])
        newest = sorted(apps, key=lambda app: apps[app].deployed_at, reverse=True)
        wanted = [a for a in newest if base.is_base_of(a) and apps[a].state != "stopping"]
        # One whose replicas are being placed anew serves meanwhile.
        served = known.app if known is not None and known.state == "READY" else None
        serves = {("running", app) for app in apps} | {("starting", served)}
        serving = [app for app in newest if (apps[app].state, app) in serves]
        new = replace(base, app=wanted[0]) if wanted else base
        if serving:
            app = new.app if new.app in serving else serving[0]
            description = await self._platform.describe(name, app)
            placement = self._ops.serving(name, app, description)
            if known is not None and known.app == app:  # as many as the load had it
                placement = replace(placement, replicas=known.replicas)
            self._ops.placed[name] = placement
        self._spawn(self._alone(name, lambda: self._ops.switch(new, newest)))

    # ---- the models that run -----------------------------------------------------------------

    def _pause_s(self) -> float:
        limits = [limit for name in self._models if (limit := self._idle_limit_s(name))]
        return min([ROUND_S, *(limit / IDLE_LOOKS for limit in limits)])

    def _idle_limit_s(self, name: str) -> float | None:
        return self._effective(name).unload_after_s

    def _effective(self, name: str) -> ModelConfig:
        return self._ops.effective(name, self._ops.placed[name].override)

    async def _watch(self) -> None:
        """Start an application again that somebody deleted; ask again where no replica answered.

        Spread replicas that lie on too few nodes.
        """
        status = await self._ops.status()
        for name, placement in list(self._ops.placed.items()):
            if placement.app is None or placement.state != "READY" or self._locks[name].locked():
                continue
            if placement.app not in status:
                logger.error("the application of model %r is gone: it is loaded again", name)
                self._spawn(self._alone(name, partial(self._again, name)))
                continue
            if placement.replicas > 1:
                found = status[placement.app]
                self._spawn(self._alone(name, partial(self._ops.spread, name, found)))
            if placement.description is None:
                description = await self._platform.describe(name, placement.app)
                if description is not None and self._ops.placed[name] == placement:
                    await self._ops.set(name, self._ops.serving(name, placement.app, description))

    async def _again(self, name: str) -> None:
        before = self._ops.placed[name]
        if before.state == "READY" and before.app not in await self._ops.status():
            self._ops.placed[name] = replace(before, app=None)
            await self._ops.switch(Generation.of(name, self._models[name], before.override), [])

    async def _look_for_idle(self) -> None:
        limits = {name: self._idle_limit_s(name) for name in self._models}
        if not any(limits.values()):
            return
        ingresses = await self._platform.idle()
        if ingresses is None:
            return
        for name, limit_s in limits.items():
            since_s = self._clock() - self._ops.loaded_at.get(name, self._clock())
            idle_s = [since_s, *(idle[name] for idle in ingresses if name in idle)]
            is_idle = limit_s is not None and all(s is not None and s >= limit_s for s in idle_s)
            is_free = self._ops.placed[name].state == "READY" and not self._locks[name].locked()
            if is_idle and is_free:
                self._spawn(self._alone(name, partial(self._ops.unload_idle, name)))

    async def _look_at_loads(self) -> None:
        """Start and stop replicas of the models whose number follows the load."""
        ranges = {name: found for name in self._models if (found := self._effective(name).range)}
        if not ranges:
            return
        loads = await self._platform.loads()
        for name, bounds in ranges.items():
            placement = self._ops.placed[name]
            if placement.state != "READY" or self._locks[name].locked():
                continue
            of_model = [load[name] for load in loads if name in load]
            wanted = self._scaling[name].wanted(bounds, placement.replicas, of_model, self._clock())
            if wanted > placement.replicas:
                wanted = await self._that_fit(name, placement.replicas, wanted)
            if wanted != placement.replicas:
                self._spawn(self._alone(name, partial(self._ops.scale, name, wanted)))

    async def _that_fit(self, name: str, replicas: int, wanted: int) -> int:
        """Return the replicas that the free shares of GPUs allow, of those that are wanted."""
        config = self._effective(name)
        gpus, free = await self._platform.gpus()
        if not gpus or config.device == "cpu" or not config.gpu_fraction:
            return wanted
        return min(wanted, replicas + int(free / config.gpu_fraction + 1e-6))

    # ---- one at a time -----------------------------------------------------------------------

    async def _alone(self, name: str, operation: Callable[[], Awaitable[None]]) -> None:
        """Run an operation after those before it, to its end even if the caller leaves."""

        async def run() -> None:
            async with self._locks[name]:
                await operation()

        await self._ops.recovered.wait()
        await asyncio.shield(self._spawn(run()))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = detached(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, DragomanError):  # callers get those
            logger.error("an operation on a model failed", exc_info=error)
