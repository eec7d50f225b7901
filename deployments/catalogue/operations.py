"""Load, switch and unload models on the platform, one operation a model at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from deployments.catalogue.generation import Generation, ModelOverride
from deployments.catalogue.placements import (
    IDLE,
    UNLOADED,
    Description,
    Placement,
    Placements,
    State,
)
from deployments.catalogue.platform import AppStatus, Platform
from deployments.catalogue.spreading import Spreading
from deployments.config.licences import check_licence
from deployments.config.schema import ModelConfig
from deployments.telemetry.log import logger
from models.errors import ConfigError, Draining, InvalidRequest, LoadFailed, Unavailable

# A look at all applications costs a tenth of a second of this process and of Serve's controller.
POLL_S = 0.5  # between looks at an application that is being started
SHARE_S = 5.0  # until what another model had of a GPU counts as free
REPLICAS_S = 180.0  # for replicas that the load asks for to start
SETTLE_S = 30.0  # for the ingresses to finish what they have begun with a model


class Operations:
    """Change where the models are, and tell every ingress of each change.

    Args:
        models: the configuration's.
        platform: runs the applications.
        clock: tells seconds.
    """

    def __init__(
        self,
        models: Mapping[str, ModelConfig],
        platform: Platform,
        clock: Callable[[], float],
    ) -> None:
        self._models = models
        self._platform = platform
        self._clock = clock
        self._epoch = time.time_ns()
        self._changes = 0
        self._look: asyncio.Task[Mapping[str, AppStatus]] | None = None
        self._spreading = {name: Spreading() for name in models}
        self.placed = {name: Placement(None, "LOADING") for name in models}
        self.loaded_at: dict[str, float] = {}  # by the clock
        self.recovered = asyncio.Event()  # what ran before is known

    def placements(self) -> Placements:
        """Return where each model is now."""
        return Placements((self._epoch, self._changes), dict(self.placed))

    # ---- loading ---------------------------------------------------------------------------

    async def load(self, new: Generation) -> None:
        """Have a generation serve. Raises LoadFailed: the placement says what serves instead."""
        before = self.placed[new.name]
        if before.app == new.app and before.state == "READY":
            await self.set(new.name, replace(before, reason=""))
            return
        try:
            await asyncio.to_thread(check_licence, new.name, new.config)
        except ConfigError as error:
            raise LoadFailed(str(error), param="accept_license") from error
        await self._check_share(new, before)
        await self.switch(new, [before.app] if before.app else [])

    async def switch(self, new: Generation, old_apps: Sequence[str]) -> None:
        """Have a generation serve, then end the others; if it fails, the one before goes on."""
        before = self.placed[new.name]
        if before.app is None:
            await self.set(new.name, replace(before, state="LOADING", reason=""))
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
            await self.set(new.name, now)
            await self._platform.delete(new.app)
            raise failed from error
        await self.set(new.name, self.serving(new.name, new.app, description, new.override))
        for app in old_apps:
            if app != new.app:
                await self._platform.delete(app)

    async def _warm(self, new: Generation) -> Description | None:
        """Start a generation if it does not run, and wait for it. Raises LoadFailed."""
        found = (await self.status()).get(new.app)
        if found is not None and found.state in ("failed", "stopping"):
            await self._platform.delete(new.app)
            found = None
        if found is None:
            self._spreading[new.name] = spreading = Spreading()
            limit = spreading.limit(new.config.first_replicas, await self._room(new.config))
            await self._platform.start(new, limit)
        while True:
            found = (await self.status()).get(new.app)
            if found is None or found.state in ("failed", "stopping"):
                raise LoadFailed(found.message if found else "it was deleted while it was loaded")
            if found.state == "running":
                return await self._platform.describe(new.name, new.app)
            if None in found.lying.nodes:
                await self._spread(new, found)
            await asyncio.sleep(POLL_S)

    async def spread(self, name: str, found: AppStatus) -> None:
        """Place the replicas of a model that serves anew, where they have lain badly for long."""
        before = self.placed[name]
        serving = Generation.of(name, self._models[name], before.override)
        if before.state == "READY" and before.app == serving.app:
            await self._spread(serving, found)

    async def _spread(self, of: Generation, found: AppStatus) -> None:
        spreading, lying = self._spreading[of.name], found.lying
        room, replicas = await self._room(of.config), of.config.first_replicas
        if spreading.is_due(lying, replicas, room, self._clock()):
            limit = spreading.next_limit(lying, replicas, room)
            most = f"at most {limit} on a node" if limit else "wherever there is room"
            logger.warning("model %r: its replicas are placed anew, %s", of.name, most)
            await self._platform.start(of, limit)

    async def _room(self, config: ModelConfig) -> Sequence[int]:
        """Return each node's room for replicas; nothing where their number follows the load."""
        return await self._platform.room(config) if config.range is None else ()

    async def _check_share(self, new: Generation, before: Placement) -> None:
        """Refuse GPU shares that are not free, for which Ray would wait in silence.

        Raises:
            LoadFailed: tells what is asked for and what is free.
        """
        share = 0.0 if new.config.device == "cpu" else new.config.gpu_fraction
        asked = share * new.config.first_replicas
        until = self._clock() + SHARE_S
        gpus, free = await self._platform.gpus()
        while gpus and asked > free + 1e-6 and self._clock() < until:
            await asyncio.sleep(POLL_S)
            gpus, free = await self._platform.gpus()
        if gpus and asked > free + 1e-6:
            beside = " beside the one that serves; unload that first" if before.app else ""
            message = f"it asks for {asked:g} of a GPU, and {free:g} is left{beside}"
            raise LoadFailed(message, param="gpu_fraction")

    async def unload(self, name: str) -> None:
        """Stop a model's application, and refuse its requests until somebody loads it."""
        before = self.placed[name]
        if before.app is not None:
            await self.set(name, replace(before, state="UNLOADING", reason=UNLOADED))
            await self._platform.delete(before.app)
        await self.set(
            name, Placement(None, "UNAVAILABLE", UNLOADED, description=before.description)
        )

    async def unload_idle(self, name: str) -> None:
        """Stop a model's application until a request asks for it; requests wait for its return."""
        before = self.placed[name]
        if before.state != "READY" or before.app is None:
            return
        logger.info("model %r is unloaded until it is asked for", name)
        on_demand = replace(before, state="UNLOADING", reason=IDLE, on_demand=True)
        await self.set(name, on_demand)
        await self._platform.delete(before.app)
        await self.set(name, replace(on_demand, app=None, state="UNAVAILABLE"))

    async def wake(self, name: str) -> None:
        """Load a model that was unloaded as idle. Raises Unavailable."""
        before = self.placed[name]
        if before.state == "READY":
            return
        if not before.on_demand:
            raise Unavailable(f"model {name!r} is unloaded")
        try:
            await self.load(Generation.of(name, self._models[name], before.override))
        except InvalidRequest as error:
            raise Unavailable(f"model {name!r} could not be loaded: {error.message}") from error

    async def set(self, name: str, placement: Placement) -> None:
        """Change a model's placement, and wait until every ingress follows it."""
        if placement == self.placed[name]:
            return
        self.placed[name] = placement
        self._changes += 1
        if self.recovered.is_set():
            await self._platform.tell(self.placements(), name, SETTLE_S)

    def serving(
        self,
        name: str,
        app: str,
        description: Description | None,
        override: ModelOverride | None = None,
    ) -> Placement:
        """Return the placement of a model that runs, with the override that its replicas tell."""
        self.loaded_at[name] = self._clock()
        override = description.override if description else override
        replicas = self.effective(name, override).first_replicas
        return Placement(app, "READY", "", False, override, description, replicas)

    async def scale(self, name: str, replicas: int) -> None:
        """Change the number of replicas of a model that serves.

        Batches are formed for more replicas once these run, and for fewer before any stops.
        Replicas that do not start in time are not waited for any longer: there is no room.
        """
        before = self.placed[name]
        if before.app is None or before.state != "READY" or before.replicas == replicas:
            return
        if replicas < before.replicas:
            await self.set(name, replace(before, replicas=replicas))
        logger.info("model %r: %d replicas instead of %d", name, replicas, before.replicas)
        await self._platform.scale(name, before.app, replicas)
        until = self._clock() + REPLICAS_S
        there = await self._running(before.app)
        while there < replicas and self._clock() < until:
            await asyncio.sleep(POLL_S)
            there = await self._running(before.app)
        if there < replicas:
            logger.warning("model %r: %d of %d replicas have started", name, there, replicas)
            replicas = max(1, there)
            await self._platform.scale(name, before.app, replicas)
        await self.set(name, replace(before, replicas=replicas))

    async def _running(self, app: str) -> int:
        found = (await self.status()).get(app)
        return 0 if found is None else found.replicas

    def effective(self, name: str, override: ModelOverride | None) -> ModelConfig:
        """Return a model's configuration, with an override if that fits."""
        try:
            return Generation.of(name, self._models[name], override).config
        except InvalidRequest:
            return self._models[name]

    async def status(self) -> Mapping[str, AppStatus]:
        """Look at all applications; calls that come while a look runs share the next one."""
        running = self._look
        if running is not None and not running.done():
            await asyncio.wait([running])
        if self._look is running:
            self._look = asyncio.ensure_future(self._platform.status())
        assert self._look is not None
        return await asyncio.shield(self._look)
