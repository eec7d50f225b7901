"""Which models run: loads, unloads and replaces them; free of Ray, which ``Platform`` stands for.

A model runs in an application of its own. A new generation is started beside the one that serves,
which stays until the new one is warm and every ingress sends to it; so a load that fails changes
nothing. What runs can be told from the names of the applications alone, and what was unloaded from
what the ingresses remember, so that a control that was restarted goes on where the last one ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol

from deployments.batching.concurrency import detached
from deployments.catalogue.generation import Generation, ModelOverride
from deployments.catalogue.placements import (
    IDLE,
    UNLOADED,
    Description,
    Placement,
    Placements,
    State,
)
from deployments.config.schema import ModelConfig
from deployments.telemetry.log import logger
from models.errors import (
    DragomanError,
    Draining,
    InvalidRequest,
    LoadFailed,
    Unavailable,
    UnknownModel,
)

# A look (`serve.status`) takes a tenth of a second of this process and of Serve's controller.
POLL_S = 0.5  # between looks at an application that is being started
WATCH_S = 20.0  # between looks at those that run
ROUND_S = 2.0  # between rounds of what the control does by itself
IDLE_LOOKS = 4  # in the time after which an idle model is unloaded, at least
SHARE_S = 5.0  # until what another model had of a GPU counts as free
SETTLE_S = 30.0  # what the ingresses may take to finish what they have begun with a model


@dataclass(frozen=True, slots=True)
class AppStatus:
    """One application as the platform sees it."""

    model: str
    state: Literal["starting", "running", "failed", "stopping"]
    message: str = ""  # why it failed
    deployed_at: float = 0.0  # Unix time


class Platform(Protocol):
    """What runs the applications, and the way to the ingresses."""

    async def start(self, generation: Generation) -> None:
        """Begin to start a generation's application."""

    async def delete(self, app: str) -> None:
        """Stop an application; returns once its processes are gone."""

    async def status(self) -> Mapping[str, AppStatus]:
        """Every application of a model. Raises Draining: the server is stopping."""

    async def describe(self, name: str, app: str) -> Description | None:
        """What one of its replicas says of itself; None where none answers."""

    async def gpus(self) -> tuple[float, float]:
        """The GPUs of the cluster, and what is left of them."""

    async def recall(self) -> Placements | None:
        """What the ingresses know of a control before this one; None at the first start."""

    async def tell(self, placements: Placements, name: str, timeout_s: float) -> None:
        """Returns once every ingress follows and has finished what it must with that model."""

    async def idle(self) -> Sequence[Mapping[str, float | None]] | None:
        """By ingress: for how long (s) each model has been idle, None if it is busy.

        None where an ingress does not answer.
        """


class Control:
    """The one place that decides what runs; operations on one model come one after another.

    Args:
        models: the configuration's.
        platform: what runs them.
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
        self._epoch = time.time_ns()
        self._changes = 0
        self._placements = {name: Placement(None, "LOADING") for name in models}
        self._loaded_at: dict[str, float] = {}
        self._locks = {name: asyncio.Lock() for name in models}
        self._wakes: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._recovered = asyncio.Event()
        self._look: asyncio.Task[Mapping[str, AppStatus]] | None = None

    # ---- what others ask -----------------------------------------------------------------

    def start(self) -> None:
        """Find what runs, start what is missing, and watch, on the running event loop."""
        self._spawn(self._run())

    async def placements(self) -> Placements:
        """Where each configured model is; waits until a restarted control knows."""
        await self._recovered.wait()
        return Placements((self._epoch, self._changes), dict(self._placements))

    async def load(self, name: str, override: ModelOverride | None = None) -> None:
        """Return once the model serves as configured, but for ``override``, at every ingress.

        Raises:
            UnknownModel: there is none of that name.
            InvalidRequest: the override does not fit; ``LoadFailed``: it could not be loaded.
                Whatever served before still does.
        """
        generation = Generation.of(name, self._configured(name), override)
        await self._alone(name, lambda: self._load(generation))

    async def unload(self, name: str) -> None:
        """Return once its processes are gone; it stays so until somebody loads it.

        What waits or runs is finished first, new requests are refused. Raises UnknownModel.
        """
        self._configured(name)
        await self._alone(name, lambda: self._unload(name))

    async def wake(self, name: str) -> None:
        """Load a model that was unloaded because nobody used it, for whoever asks first.

        Raises:
            UnknownModel: there is none of that name.
            Unavailable: an operator has unloaded it, or it cannot be loaded.
        """
        self._configured(name)
        if name not in self._wakes:
            task = self._spawn(self._alone(name, lambda: self._wake(name)))
            self._wakes[name] = task
            task.add_done_callback(lambda _: self._wakes.pop(name))
        await asyncio.shield(self._wakes[name])

    def _configured(self, name: str) -> ModelConfig:
        if name not in self._models:
            raise UnknownModel(f"there is no model {name[:80]!r}", param="model")
        return self._models[name]

    # ---- operations, under the model's lock ------------------------------------------------

    async def _load(self, new: Generation) -> None:
        before = self._placements[new.name]
        if before.app == new.app and before.state == "READY":
            await self._set(new.name, replace(before, reason=""))
            return
        await self._check_share(new, before)
        await self._switch(new, [before.app] if before.app else [])

    async def _switch(self, new: Generation, old_apps: Sequence[str]) -> None:
        """Have a generation serve, then end the others; if it cannot, what served still does."""
        before = self._placements[new.name]
        if before.app is None:
            await self._set(new.name, replace(before, state="LOADING", reason=""))
        try:
            description = await self._warm(new)
        except Draining:
            raise
        except Exception as error:
            failed = error if isinstance(error, LoadFailed) else LoadFailed(repr(error))
            logger.error("model %r could not be loaded: %s", new.name, failed.message)
            still = before.app if before.app != new.app else None
            state: State = "READY" if still else "UNAVAILABLE"
            now = replace(before, app=still, state=state, reason=failed.message)
            await self._set(new.name, now)
            await self._platform.delete(new.app)
            raise failed from error
        await self._set(new.name, self._serving(new.name, new.app, description, new.override))
        for app in old_apps:
            if app != new.app:
                await self._platform.delete(app)

    async def _warm(self, new: Generation) -> Description | None:
        """Start the generation where it does not run, and wait for it. Raises LoadFailed."""
        found = (await self._status()).get(new.app)
        if found is not None and found.state in ("failed", "stopping"):
            await self._platform.delete(new.app)
            found = None
        if found is None:
            await self._platform.start(new)
        while True:
            found = (await self._status()).get(new.app)
            if found is None or found.state in ("failed", "stopping"):
                raise LoadFailed(found.message if found else "it was deleted while it was loaded")
            if found.state == "running":
                return await self._platform.describe(new.name, new.app)
            await asyncio.sleep(POLL_S)

    async def _check_share(self, new: Generation, before: Placement) -> None:
        """Raises LoadFailed: its GPU shares are not free. Ray would wait for them in silence."""
        share = 0.0 if new.config.device == "cpu" else new.config.gpu_fraction
        asked = share * new.config.replicas
        until = self._clock() + SHARE_S
        gpus, free = await self._platform.gpus()
        while gpus and asked > free + 1e-6 and self._clock() < until:
            await asyncio.sleep(POLL_S)
            gpus, free = await self._platform.gpus()
        if gpus and asked > free + 1e-6:
            beside = " beside the one that serves; unload that first" if before.app else ""
            message = f"it asks for {asked:g} of a GPU, and {free:g} is left{beside}"
            raise LoadFailed(message, param="gpu_fraction")

    async def _unload(self, name: str) -> None:
        before = self._placements[name]
        if before.app is not None:
            await self._set(name, replace(before, state="UNLOADING", reason=UNLOADED))
            await self._platform.delete(before.app)
        await self._set(
            name, Placement(None, "UNAVAILABLE", UNLOADED, description=before.description)
        )

    async def _unload_idle(self, name: str) -> None:
        """Unload it until somebody asks for it; who asks meanwhile waits for it to come back."""
        before = self._placements[name]
        if before.state != "READY" or before.app is None:
            return
        logger.info("model %r is unloaded until it is asked for", name)
        on_demand = replace(before, state="UNLOADING", reason=IDLE, on_demand=True)
        await self._set(name, on_demand)
        await self._platform.delete(before.app)
        await self._set(name, replace(on_demand, app=None, state="UNAVAILABLE"))

    async def _wake(self, name: str) -> None:
        before = self._placements[name]
        if before.state == "READY":
            return
        if not before.on_demand:
            raise Unavailable(f"model {name!r} is unloaded")
        try:
            await self._load(Generation.of(name, self._models[name], before.override))
        except InvalidRequest as error:
            raise Unavailable(f"model {name!r} could not be loaded: {error.message}") from error

    async def _set(self, name: str, placement: Placement) -> None:
        """Decide, and wait until every ingress follows."""
        if placement == self._placements[name]:
            return
        self._placements[name] = placement
        self._changes += 1
        if self._recovered.is_set():
            await self._platform.tell(await self.placements(), name, SETTLE_S)

    def _serving(
        self,
        name: str,
        app: str,
        description: Description | None,
        override: ModelOverride | None = None,
    ) -> Placement:
        """Of what runs now; the replicas themselves know best with which override."""
        self._loaded_at[name] = self._clock()
        override = description.override if description else override
        replicas = self._effective(name, override).replicas
        return Placement(app, "READY", "", False, override, description, replicas)

    def _effective(self, name: str, override: ModelOverride | None) -> ModelConfig:
        """As configured, where the override was made for another configuration."""
        try:
            return Generation.of(name, self._models[name], override).config
        except InvalidRequest:
            return self._models[name]

    # ---- a new control -----------------------------------------------------------------------

    async def _run(self) -> None:
        watched_at = self._clock()
        while True:
            try:
                if not self._recovered.is_set():
                    await self._recover()
                if self._clock() - watched_at >= WATCH_S:
                    watched_at = self._clock()
                    await self._watch()
                await self._look_for_idle()
            except Draining:
                pass  # everything goes, the models with it
            except Exception:  # whatever it is, the models must be watched
                logger.exception("looking after the models failed")
            await asyncio.sleep(self._pause_s())

    async def _recover(self) -> None:
        """Take over what runs and what was unloaded, and begin what is missing."""
        status = await self._platform.status()
        known = await self._platform.recall()
        for name in self._models:
            mine = {app: s for app, s in status.items() if s.model == name}
            await self._take_over(name, mine, known.of.get(name) if known else None)
        for app, of in status.items():
            if of.model not in self._models:
                self._spawn(self._platform.delete(app))
        self._recovered.set()

    async def _take_over(
        self, name: str, apps: Mapping[str, AppStatus], known: Placement | None
    ) -> None:
        if known is not None and known.reason in (UNLOADED, IDLE) and known.state != "READY":
            self._placements[name] = replace(known, app=None, state="UNAVAILABLE")
            for app in apps:
                self._spawn(self._alone(name, partial(self._platform.delete, app)))
            return
        base = Generation.of(name, self._models[name])
        newest = sorted(apps, key=lambda app: apps[app].deployed_at, reverse=True)
        wanted = [a for a in newest if base.is_base_of(a) and apps[a].state != "stopping"]
        serving = [a for a in newest if apps[a].state == "running"]
        new = replace(base, app=wanted[0]) if wanted else base
        if serving:
            app = new.app if new.app in serving else serving[0]
            description = await self._platform.describe(name, app)
            self._placements[name] = self._serving(name, app, description)
        self._spawn(self._alone(name, lambda: self._switch(new, newest)))

    # ---- the models that run -----------------------------------------------------------------

    def _pause_s(self) -> float:
        limits = [limit for name in self._models if (limit := self._idle_limit_s(name))]
        return min([ROUND_S, *(limit / IDLE_LOOKS for limit in limits)])

    def _idle_limit_s(self, name: str) -> float | None:
        return self._effective(name, self._placements[name].override).idle_unload_s

    async def _watch(self) -> None:
        """Start again what somebody else has deleted; ask again where no replica answered."""
        status = await self._status()
        for name, placement in list(self._placements.items()):
            if placement.app is None or placement.state != "READY" or self._locks[name].locked():
                continue
            if placement.app not in status:
                logger.error("the application of model %r is gone: it is loaded again", name)
                self._spawn(self._alone(name, partial(self._again, name)))
            elif placement.description is None:
                description = await self._platform.describe(name, placement.app)
                if description is not None and self._placements[name] == placement:
                    await self._set(name, self._serving(name, placement.app, description))

    async def _again(self, name: str) -> None:
        before = self._placements[name]
        if before.state == "READY" and before.app not in await self._status():
            self._placements[name] = replace(before, app=None)
            await self._switch(Generation.of(name, self._models[name], before.override), [])

    async def _look_for_idle(self) -> None:
        limits = {name: self._idle_limit_s(name) for name in self._models}
        if not any(limits.values()):
            return
        ingresses = await self._platform.idle()
        if ingresses is None:
            return
        for name, limit_s in limits.items():
            since_s = self._clock() - self._loaded_at.get(name, self._clock())
            idle_s = [since_s, *(idle[name] for idle in ingresses if name in idle)]
            is_idle = limit_s is not None and all(s is not None and s >= limit_s for s in idle_s)
            is_free = self._placements[name].state == "READY" and not self._locks[name].locked()
            if is_idle and is_free:
                self._spawn(self._alone(name, partial(self._unload_idle, name)))

    # ---- one at a time -----------------------------------------------------------------------

    async def _alone(self, name: str, operation: Callable[[], Awaitable[None]]) -> None:
        """Run an operation after those before it, and to its end even if who asked has left."""

        async def run() -> None:
            async with self._locks[name]:
                await operation()

        await self._recovered.wait()
        await asyncio.shield(self._spawn(run()))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = detached(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, DragomanError):  # these, who asked is told
            logger.error("an operation on a model failed", exc_info=error)

    async def _status(self) -> Mapping[str, AppStatus]:
        """A look that begins after the call: one for all who ask while another look runs."""
        running = self._look
        if running is not None and not running.done():
            await asyncio.wait([running])
        if self._look is running:
            self._look = asyncio.ensure_future(self._platform.status())
        assert self._look is not None
        return await asyncio.shield(self._look)
