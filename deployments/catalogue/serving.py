"""Where the models are, as one ingress process follows it: whose replicas each batcher sends to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from deployments.batching.batcher import Batcher
from deployments.batching.concurrency import detached
from deployments.batching.dispatcher import BatchReply, ReplicaLost
from deployments.batching.response_cache import ResponseCache
from deployments.catalogue.placements import (
    IDLE,
    UNLOADED,
    Directory,
    Placement,
    Placements,
    Remote,
)
from deployments.config.schema import AppConfig, BatchPolicy
from deployments.telemetry import model_report
from deployments.telemetry.log import logger
from deployments.telemetry.model_report import FAILED, LOADING, READY
from models.errors import DragomanError, InvalidRequest, NotReady, Unavailable
from models.runtime import RuntimeSpec

POLL_S = 0.2  # between looks while a model is still loading
POLL_WARM_S = 2.0  # and once all have been ready
LOOK_S = 5.0  # what one look may take
END_S = 30.0  # what batches may take that were sent to replicas which others have replaced


@dataclass(slots=True)
class Model:
    """A model that was ready once: its name, spec, and the queue before its replicas."""

    name: str
    spec: RuntimeSpec
    batcher: Batcher[Any, Any]


class Link:
    """The way to the replicas of one application; knows what is on it."""

    def __init__(self, app: str, remote: Remote) -> None:
        self.app = app
        self.remote = remote
        self._calls: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def infer(self, items: Sequence[Any]) -> BatchReply[Any]:
        """As ``Remote.infer``; raises ``ReplicaLost``, too, if the link was ended meanwhile."""
        try:
            async with asyncio.timeout(None) as call:
                self._calls.add(call)
                self._idle.clear()
                try:
                    return await self.remote.infer(items)
                finally:
                    self._calls.discard(call)
                    if not self._calls:
                        self._idle.set()
        except TimeoutError as error:
            if call.expired():
                raise ReplicaLost from error
            raise

    async def end(self, after_s: float) -> None:
        """Let what is on it finish within the time, then cut it off: nobody else might."""
        try:
            await asyncio.wait_for(self._idle.wait(), after_s)
        except TimeoutError:
            now = asyncio.get_running_loop().time()
            for call in self._calls:
                call.reschedule(now)


class Follower:
    """Keeps a batcher for each model, whatever its replicas do; what waits is never dropped.

    Args:
        config: the application's.
        directory: knows where the models are.
    """

    def __init__(self, config: AppConfig, directory: Directory) -> None:
        self._config = config
        self._directory = directory
        self._cache = ResponseCache(config.ingress.response_cache_bytes)
        self._policies: dict[str, BatchPolicy] = {}
        self._models: dict[str, Model] = {}
        self._links: dict[str, Link] = {}
        self._ending: dict[str, set[asyncio.Task[None]]] = {name: set() for name in config.models}
        self._answering = dict.fromkeys(config.models, False)  # whether a replica does
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        # The last that is known: until somebody tells, every model is on its way.
        self.placements = Placements(
            of={name: Placement(None, "LOADING") for name in config.models}
        )
        self.warm = asyncio.Event()  # every model has been ready

    # ---- life ------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to follow, on the running event loop."""
        if not self._tasks:
            self._spawn(self._watch())

    async def _watch(self) -> None:
        """Ask and look for as long as this process serves: whoever tells may have died."""
        while True:
            await self._refresh()
            for name in self._config.models:
                try:
                    async with asyncio.timeout(LOOK_S):
                        await self._look_at(name)
                except TimeoutError:
                    pass  # it is busy: what was known of it still holds
                except Exception:  # whatever it is, the others must be looked at
                    logger.exception("looking at model %r failed", name)
            if self.is_ready():
                self.warm.set()
            await asyncio.sleep(POLL_WARM_S if self.warm.is_set() else POLL_S)

    async def _refresh(self) -> None:
        """Follow the directory; what was known holds where it does not answer."""
        try:
            async with asyncio.timeout(LOOK_S):
                await self.follow(await self._directory.placements())
        except (TimeoutError, Unavailable):
            pass
        except Exception:
            logger.exception("the directory of models failed")

    async def _look_at(self, name: str) -> None:
        async with self._one_at_a_time:
            await self._go(name)
        if name not in self._links:
            return
        try:
            await self._links[name].remote.describe()
        except Unavailable:  # its first replica is still being made, or its last one has died
            self._answering[name] = False
        else:
            self._answering[name] = True

    # ---- following ---------------------------------------------------------------------

    async def follow(self, placements: Placements) -> None:
        """Refuse, hold or send from now on as these say, unless later ones are known."""
        if placements.version <= self.placements.version:
            return
        self.placements = placements
        async with self._one_at_a_time:
            for name in self._config.models:
                await self._go(name)

    async def settle(self, name: str, timeout_s: float) -> bool:
        """Whether what must not go on with a model has ended within the time."""
        placement, model = self.placements.of.get(name), self._models.get(name)
        try:
            async with asyncio.timeout(timeout_s):
                refused = placement and placement.state == "UNLOADING" and not placement.on_demand
                if refused and model is not None:
                    await model.batcher.until_idle()
                while self._ending[name]:
                    await asyncio.wait(self._ending[name])
        except TimeoutError:
            return False
        return True

    async def _go(self, name: str) -> None:
        """Send a model's batches to where it is now."""
        placement = self.placements.of.get(name)
        if placement is None:
            return
        held = placement.state == "UNLOADING" and placement.on_demand
        app = None if held else placement.app
        link = self._links.get(name)
        if app == (link.app if link else None):
            return
        if app is None:
            del self._links[name]
        else:
            remote = await self._directory.remote(name, app)
            try:
                described = placement.description or (await remote.describe())[0]
            except Unavailable:
                return  # the next look may find a replica
            self._adopt(name, described.spec, placement)
            self._links[name] = Link(app, remote)
            self._answering[name] = True
        if link is not None:
            is_gone = placement.state == "UNAVAILABLE"
            task = self._spawn(link.end(0.0 if is_gone else END_S))
            self._ending[name].add(task)
            task.add_done_callback(self._ending[name].discard)

    def _adopt(self, name: str, spec: RuntimeSpec, placement: Placement) -> Model:
        """Another generation of a model; its batcher, and what waits there, stay."""
        model = self._models.get(name)
        if model is None:
            batcher: Batcher[Any, Any] = Batcher(
                name,
                partial(self._send, name),
                self._policies.get(name, BatchPolicy()),
                replicas=placement.replicas,
                length_buckets=spec.length_buckets,
                cache=self._cache,
            )
            self._models[name] = model = Model(name, spec, batcher)
        else:
            model.spec = spec
            model.batcher.retarget(replicas=placement.replicas, length_buckets=spec.length_buckets)
        policy, asked = self.policy(name), model.batcher.policy.max_batch_size
        if policy.max_batch_size < asked:
            rows = policy.max_batch_size
            logger.info("model %r takes batches of %d here, not %d", name, rows, asked)
        model.batcher.reconfigure(policy)
        return model

    # ---- sending -----------------------------------------------------------------------

    async def _send(self, name: str, items: Sequence[Any]) -> BatchReply[Any]:
        """What a batcher dispatches with; loads a model that is loaded on demand."""
        link = self._links.get(name) or await self._woken(name)
        try:
            return await link.infer(items)
        except Unavailable as error:
            await self._refresh()
            if self._links.get(name) is link:
                raise
            raise ReplicaLost from error  # it has moved: the batch goes there

    async def _woken(self, name: str) -> Link:
        self._check_there(name)
        await self._directory.wake(name)
        if name not in self._links:
            await self._refresh()
        if name not in self._links:
            raise NotReady(f"model {name!r} is still loading")
        return self._links[name]

    def is_gone(self, name: str) -> bool:
        """Whether no request can use a model until somebody loads it."""
        placement = self.placements.of.get(name)
        return (
            placement is not None
            and placement.state in ("UNLOADING", "UNAVAILABLE")
            and not placement.on_demand
        )

    def _check_there(self, name: str) -> None:
        """Refuse a model that no request may use now.

        Raises:
            Unavailable: it was unloaded, or could not be loaded; ``NotReady``: it is loading.
        """
        placement = self.placements.of.get(name)
        if placement is None or placement.on_demand or placement.state == "READY":
            return
        if placement.state == "LOADING":
            raise NotReady(f"model {name!r} is still loading")
        if placement.reason == UNLOADED:
            raise Unavailable(f"model {name!r} is unloaded")
        raise Unavailable(f"model {name!r} could not be loaded")

    # ---- policies ----------------------------------------------------------------------

    def reconfigure(self, policies: Mapping[str, BatchPolicy]) -> None:
        """Apply batch policies, to models that are ready and to those that will be."""
        self._policies = dict(policies)
        for name, model in self._models.items():
            model.batcher.reconfigure(self.policy(name))

    def base_policy(self, name: str) -> BatchPolicy:
        """The configured policy without what an operator changed, within the engine's bounds."""
        return self._within(name, self._policies.get(name, BatchPolicy()))

    def policy(self, name: str) -> BatchPolicy:
        """The configured policy with what an operator changed, within the engine's bounds."""
        policy = self._policies.get(name, BatchPolicy())
        placement = self.placements.of.get(name)
        if placement is not None and placement.override is not None:
            try:
                policy = placement.override.batching(policy)
            except InvalidRequest as error:
                logger.error("model %r keeps its configured batch policy: %s", name, error.message)
        return self._within(name, policy)

    def _within(self, name: str, policy: BatchPolicy) -> BatchPolicy:
        known = self._models.get(name)
        rows = known.spec.max_batch_size if known else None
        if rows is None or rows >= policy.max_batch_size:
            return policy
        return policy.model_copy(update={"max_batch_size": rows})

    # ---- what there is -----------------------------------------------------------------

    def readiness(self) -> dict[str, str]:
        """Each configured model: ready, loading, unloaded, or failed and why."""
        return {name: self._state(name) for name in self._config.models}

    def _state(self, name: str) -> str:
        placement = self.placements.of.get(name)
        if placement is None or placement.state == "LOADING":
            return LOADING
        if placement.state == "READY":
            return READY if name in self._links and self._answering[name] else LOADING
        if placement.reason in (UNLOADED, IDLE):
            return model_report.UNLOADED
        return f"{FAILED}: {placement.reason}"

    def is_ready(self) -> bool:
        """Whether every model is ready that should be: none fails, none loads but on demand."""
        on_demand = {name for name, p in self.placements.of.items() if p.on_demand}
        return all(
            state in (READY, model_report.UNLOADED) or (state == LOADING and name in on_demand)
            for name, state in self.readiness().items()
        )

    def models(self) -> list[Model]:
        """Those that were ready once."""
        return list(self._models.values())

    def known(self, name: str) -> Model | None:
        """A model that was ready once, whether or not it can be used now."""
        return self._models.get(name)

    def model(self, name: str) -> Model:
        """A configured model that requests may use; one that is loaded on demand, too.

        Raises:
            NotReady: it is still loading.
            Unavailable: it is unloaded, or could not be loaded.
        """
        self._check_there(name)
        if name in self._models:
            return self._models[name]
        placement = self.placements.of.get(name)
        if placement is not None and placement.on_demand:
            if placement.description is not None:
                return self._adopt(name, placement.description.spec, placement)
            self._spawn(self._wake_unasked(name))
        raise NotReady(f"model {name!r} is still loading")

    async def _wake_unasked(self, name: str) -> None:
        try:
            await self._directory.wake(name)
        except DragomanError as error:
            logger.error("%s", error.message)

    def remote(self, name: str) -> Remote:
        """A model's replicas. Raises Unavailable: there are none."""
        if name not in self._links:
            raise Unavailable(f"no replica of model {name!r} answers")
        return self._links[name].remote

    def idle(self) -> dict[str, float | None]:
        """For how long (s) each model has had no request; None of one that is busy."""
        now = asyncio.get_running_loop().time()
        since = {name: model.batcher.idle_since for name, model in self._models.items()}
        return {name: None if at is None else now - at for name, at in since.items()}

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = detached(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
