"""Send each model's batches to the application that serves it now, in one ingress process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from deployments.batching.batch import BatchReply, ReplicaLost
from deployments.batching.batcher import Batcher
from deployments.batching.concurrency import detached
from deployments.batching.response_cache import ResponseCache
from deployments.catalogue.availability import check_usable, is_gone, state_of
from deployments.catalogue.link import Link
from deployments.catalogue.model import Model
from deployments.catalogue.placements import (
    Description,
    Directory,
    Placement,
    Placements,
    Remote,
)
from deployments.catalogue.policies import Policies, within
from deployments.catalogue.scaling import Load
from deployments.catalogue.unloading import Unloading
from deployments.catalogue.waking import Waking
from deployments.config.policy import BatchPolicy
from deployments.config.schema import AppConfig
from deployments.telemetry.log import logger
from deployments.telemetry.model_report import LOADING, READY, UNLOADED
from models.errors import NotReady, Unavailable

POLL_S = 0.2  # between looks while a model is still loading
POLL_WARM_S = 2.0  # and once all have been ready
LOOK_S = 5.0  # for one look
SHAPES = attrgetter("shapes")  # rows of named tensors go together only where these are equal


class Follower:
    """Keep a batcher for each model, and what waits there, while applications come and go.

    Args:
        config: the application's.
        directory: tells where the models are.
    """

    def __init__(self, config: AppConfig, directory: Directory) -> None:
        self._config = config
        self._directory = directory
        self._cache = ResponseCache(config.ingress.response_cache_bytes)
        self._policies = Policies()
        self._models: dict[str, Model] = {}
        self._links: dict[str, Link] = {}
        self._unloading = Unloading()
        self._waking = Waking(config, directory)
        self._answering = dict.fromkeys(config.models, False)  # whether a replica does
        self._one_at_a_time = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        # Every model counts as loading until the directory has answered.
        self.placements = Placements(
            of={name: Placement(None, "LOADING") for name in config.models}
        )
        self.warm = asyncio.Event()  # every model has been ready

    # ---- life ------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to ask the directory, on the running event loop."""
        if self._watching is None:
            self._watching = detached(self._watch())

    async def _watch(self) -> None:
        """Ask where the models are and look at them, for as long as this process serves."""
        while True:
            await self._refresh()
            for name in self._config.models:
                try:
                    async with asyncio.timeout(LOOK_S):
                        await self._look_at(name)
                except TimeoutError:
                    pass  # it is busy: what was known still holds
                except Exception:  # the others must be looked at all the same
                    logger.exception("looking at model %r failed", name)
            if self.is_ready():
                self.warm.set()
            await asyncio.sleep(POLL_WARM_S if self.warm.is_set() else POLL_S)

    async def _refresh(self) -> None:
        """Ask the directory; if it does not answer, what was known still holds."""
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
            replicas = await self._links[name].remote.stats()
        except Unavailable:  # its first replica is still being made, or its last one has died
            self._answering[name] = False
        else:
            self._answering[name] = True
            if self._config.ingress.may_be_several:
                self._models[name].look(replicas, asyncio.get_running_loop().time())

    # ---- following ---------------------------------------------------------------------

    async def follow(self, placements: Placements) -> None:
        """Apply placements, unless later ones are known."""
        if placements.version <= self.placements.version:
            return
        self.placements = placements
        async with self._one_at_a_time:
            for name in self._config.models:
                await self._go(name)

    async def settle(self, name: str, timeout_s: float) -> bool:
        """Wait until nothing runs that a placement forbids; return False if that takes too long."""
        placement, model = self.placements.of.get(name), self._models.get(name)
        refused = placement and placement.state == "UNLOADING" and not placement.on_demand
        waiting = model.batcher if refused and model is not None else None
        return await self._unloading.settled(name, waiting, timeout_s)

    async def _go(self, name: str) -> None:
        """Send a model's batches to the application that its placement names."""
        placement = self.placements.of.get(name)
        if placement is None:
            return
        held = placement.state == "UNLOADING" and placement.on_demand
        app = None if held else placement.app
        link = self._links.get(name)
        if app == (link.app if link else None):
            if link is not None:
                self._models[name].resize(placement.replicas)
            return
        if app is None:
            del self._links[name]
        else:
            remote = await self._directory.remote(name, app)
            try:
                described = placement.description or (await remote.describe())[0]
            except Unavailable:
                return  # the next look may find a replica
            self._adopt(name, described, placement)
            self._links[name] = Link(app, remote)
            self._answering[name] = True
        if link is not None:
            self._unloading.end(name, link, is_gone=placement.state == "UNAVAILABLE")

    def _adopt(self, name: str, described: Description, placement: Placement) -> Model:
        """Take over a new generation of a model; its batcher and what waits there stay."""
        model, spec = self._models.get(name), described.spec
        if model is None:
            batcher: Batcher[Any, Any] = Batcher(
                name,
                partial(self._send, name),
                self._policies.configured(name),
                replicas=placement.replicas,
                length_buckets=spec.length_buckets,
                key=SHAPES if spec.kind == "tensors" else None,
                cache=self._cache,
            )
            self._models[name] = model = Model(name, spec, batcher)
        else:
            model.spec = spec
            model.batcher.retarget(replicas=placement.replicas, length_buckets=spec.length_buckets)
        model.batcher.learning.seed(described.pace)
        policy, asked = self.policy(name), model.batcher.policy.max_batch_size
        if policy.max_batch_size < asked:
            rows = policy.max_batch_size
            logger.info("model %r takes batches of %d here, not %d", name, rows, asked)
        model.batcher.reconfigure(policy)
        return model

    # ---- sending -----------------------------------------------------------------------

    async def _send(self, name: str, items: Sequence[Any]) -> BatchReply[Any]:
        """Dispatch a batch; load the model first if it is loaded on demand."""
        link = self._links.get(name) or await self._woken(name)
        try:
            return await link.infer(items)
        except Unavailable as error:
            await self._refresh()
            if self._links.get(name) is link:
                raise
            raise ReplicaLost from error  # the model has moved: the batcher sends again

    async def _woken(self, name: str) -> Link:
        check_usable(name, self.placements.of.get(name))
        await self._waking.until_loaded(name)
        if name not in self._links:
            await self._refresh()
        if name not in self._links:
            raise NotReady(f"model {name!r} is still loading")
        return self._links[name]

    def is_gone(self, name: str) -> bool:
        """Tell whether no request can use a model until somebody loads it."""
        return is_gone(self.placements.of.get(name))

    # ---- policies ----------------------------------------------------------------------

    def reconfigure(self, policies: Mapping[str, BatchPolicy]) -> None:
        """Apply batch policies, to models that are ready and to those that will be."""
        self._policies.reconfigure(policies)
        for name, model in self._models.items():
            model.batcher.reconfigure(self.policy(name))

    def base_policy(self, name: str) -> BatchPolicy:
        """Return the configured policy within the engine's bounds, as it stands."""
        return within(self._policies.configured(name), self._max_rows(name))

    def policy(self, name: str) -> BatchPolicy:
        """Return the configured policy within the engine's bounds, with an operator's changes."""
        policy = self._policies.effective(name, self.placements.of.get(name))
        return within(policy, self._max_rows(name))

    def _max_rows(self, name: str) -> int | None:
        known = self._models.get(name)
        return known.spec.max_batch_size if known else None

    # ---- what there is -----------------------------------------------------------------

    def readiness(self) -> dict[str, str]:
        """Return each configured model's state: ready, loading, unloaded, or failed and why."""
        of = self.placements.of
        return {
            name: state_of(of.get(name), is_answering=self._answers(name))
            for name in self._config.models
        }

    def _answers(self, name: str) -> bool:
        return name in self._links and self._answering[name]

    def is_ready(self) -> bool:
        """Tell whether every model is ready, but those that were unloaded or load on demand."""
        on_demand = {name for name, p in self.placements.of.items() if p.on_demand}
        return all(
            state in (READY, UNLOADED) or (state == LOADING and name in on_demand)
            for name, state in self.readiness().items()
        )

    def models(self) -> list[Model]:
        """Return the models that were ready once."""
        return list(self._models.values())

    def known(self, name: str) -> Model | None:
        """Return a model that was ready once, whether or not it can be used now."""
        return self._models.get(name)

    def model(self, name: str) -> Model:
        """Return a configured model that requests may use, also one that is loaded on demand.

        Raises:
            NotReady: it is still loading.
            Unavailable: it is unloaded, or could not be loaded.
        """
        check_usable(name, self.placements.of.get(name))
        if name in self._models:
            return self._models[name]
        placement = self.placements.of.get(name)
        if placement is not None and placement.on_demand:
            if placement.description is not None:
                return self._adopt(name, placement.description, placement)
            self._waking.begin(name)
        raise NotReady(f"model {name!r} is still loading")

    def remote(self, name: str) -> Remote:
        """Return a model's replicas. Raises Unavailable: there are none."""
        if name not in self._links:
            raise Unavailable(f"no replica of model {name!r} answers")
        return self._links[name].remote

    def idle(self) -> dict[str, float | None]:
        """Return how long (s) each model has had no request; None for a busy one."""
        now = asyncio.get_running_loop().time()
        since = {name: model.batcher.idle_since for name, model in self._models.items()}
        return {name: None if at is None else now - at for name, at in since.items()}

    def may_join(self, name: str) -> BatchPolicy | None:
        """Return how batches of other ingresses may run with this one's; None: they must not."""
        model = self._models.get(name)
        return None if model is None else model.batcher.may_join

    def loads(self) -> dict[str, Load]:
        """Return how much each model has to do."""
        of = {name: model.batcher for name, model in self._models.items()}
        return {name: Load(each.expected_s(), each.in_flight) for name, each in of.items()}
