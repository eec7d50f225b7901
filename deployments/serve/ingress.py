"""Serve HTTP, with batching and the graph, in one process that runs no model."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Sequence
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.batching.concurrency import detached
from deployments.catalogue.placements import Placements
from deployments.catalogue.scaling import Load
from deployments.catalogue.selection import Fleet
from deployments.config.environment import missing_settings
from deployments.config.files import check_policies
from deployments.config.names import APPLICATION, INGRESS
from deployments.config.policy import BatchPolicy, IngressUserConfig
from deployments.config.schema import AppConfig
from deployments.grpc.server import GrpcListener
from deployments.grpc.service import grpc_listener
from deployments.http.app import LiveParts, asgi_app
from deployments.http.middleware.admission import Admission
from deployments.http.middleware.bodies import Bodies
from deployments.http.realtime.relay import Answer, Ask, Elsewhere, Relays
from deployments.http.realtime.sessions import end_here
from deployments.http.server import Listener
from deployments.http.v1.job_kinds import runner_of
from deployments.inference.region_records import folder_of
from deployments.inference.regions import Regions
from deployments.library.store import open_store
from deployments.library.sweeping import sweep_for_ever
from deployments.live.fleet_sessions import sessions_of
from deployments.security import audit
from deployments.security.keys import KnownKeys
from deployments.serve.drain import DRAIN_S
from deployments.serve.every_node import ingresses_now
from deployments.serve.model_control import ServeDirectory
from deployments.serve.replica_address import stay_on_loopback
from deployments.serve.signing_key import signing_key
from deployments.telemetry import tracing
from deployments.telemetry.cluster_figures import ClusterFigures, IngressFigures
from deployments.telemetry.log import logger, set_up

# A request leaves dozens of objects and no cycles, so Python's default, a search for cycles every
# 700 objects, would waste the ingress' time.
GC_THRESHOLDS = (50_000, 50, 50)
GRPC_STOP_S = 1.0  # for the last answers over gRPC, once nothing runs any more
STOP_S = 5.0  # of a stopping replica's time, for Serve and for the last answers


@serve.deployment(name=INGRESS)
class Ingress:
    """Listen on the server's port; each replica does, with batchers of its own."""

    def __init__(self, config: AppConfig, control: DeploymentHandle[Any]) -> None:
        gc.set_threshold(*GC_THRESHOLDS)
        seen = config.observability
        set_up(seen.log_format)
        stay_on_loopback()
        tracing.set_up(seen.trace_endpoint, seen.trace_ratio)
        for setting in missing_settings(os.environ):
            logger.warning("%s is not set: requests take the slow data path", setting)
        self._config = config
        may_join = self._may_join if config.ingress.may_be_several else None
        self._fleet = Fleet(config, ServeDirectory(control, may_join))
        self._admission = Admission(config.limits.max_concurrent_requests)
        own = serve.get_replica_context().replica_id.unique_id
        ask = self._ask if config.ingress.may_be_several else None
        known_keys = KnownKeys(config.security)
        self._cluster_figures = ClusterFigures(own, self._fleet.figures, ask, known_keys.figures)
        sessions = sessions_of(self._fleet, config, ingresses_now(config.ingress))
        self._relays = Relays(sessions)
        self._sessions = sessions
        all_ = Elsewhere(self._relay_all, self._find_all, self._end_all)
        elsewhere = all_ if ask else None
        store = open_store(config.library, os.environ)
        self._store = store
        self._sweeping: asyncio.Task[None] | None = None
        self._jobs = runner_of(self._fleet, config, store, known_keys)
        bodies = Bodies(config.limits)
        live = LiveParts(sessions, elsewhere, signing_key(os.environ))
        at = config.ingress
        folder = folder_of(at.host, at.port, os.environ)
        regions = Regions(config.shared_memory, config.limits, folder)
        app = asgi_app(
            self._fleet,
            config,
            self._admission,
            self._cluster_figures,
            known_keys,
            live,
            store,
            self._jobs,
            regions,
            bodies,
        )
        self._grpc: GrpcListener | None = None
        if at.grpc is not None:
            self._grpc = grpc_listener(
                *(self._fleet, config, at.grpc, self._admission, bodies, self._cluster_figures),
                *(known_keys, live, regions, store),
            )
        self._listener = Listener(app, at.host, at.port, at.keep_alive_timeout_s, at.tls)
        gc.freeze()  # what is loaded stays, so that no collection looks through it again

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Apply batch policies; a re-deploy that changes only them comes here alone.

        It is a coroutine, so that Serve calls it on the event loop of the batchers. Serve calls it
        there before anything else, so it begins to listen, too.

        Wrong policies are logged, and those before stay. Serve would take an exception for a dead
        replica, and end the requests that run in it.

        Raises:
            OSError: the address cannot be listened on.
        """
        if not self._listener.is_listening:
            try:
                self._listener.start()
                if self._grpc is not None:
                    await self._grpc.start()
            except OSError as error:
                at = self._config.ingress
                ports = [at.port] if at.grpc is None else [at.port, at.grpc.port]
                logger.error("%s:%s cannot be listened on: %s", at.host, ports, error)
                raise
            self._fleet.start()
            if self._store is not None:
                self._sweeping = detached(sweep_for_ever(self._store))
            if self._jobs is not None:
                self._jobs.start()
        try:
            validated = IngressUserConfig.model_validate(user_config)
            check_policies(validated, self._config)
        except ValueError as error:
            logger.error("the batch policies stay as they are: user_config is wrong: %s", error)
            return
        self._fleet.reconfigure(validated.batching)
        audit.note("policies", models=",".join(validated.batching) or "none")

    async def check_health(self) -> None:
        """Check the listeners; Serve replaces an ingress that fails. Raises RuntimeError."""
        self._listener.check()
        if self._grpc is not None:
            self._grpc.check()

    async def drain(self, timeout_s: float) -> bool:
        """Refuse new requests, and wait for those that run; see ``Admission.drain``.

        Jobs are left to other processes at once.
        """
        if self._jobs is not None:
            await self._jobs.stop()
        return await self._admission.drain(timeout_s, self._config.ingress.drain_notice_s)

    async def figures(self) -> list[IngressFigures]:
        """Return the figures that this ingress knows, to another one."""
        return self._cluster_figures.known()

    async def relay(self, ask: Ask) -> Answer:
        """Return a session's next events, to a listener of another ingress."""
        return await self._relays.answer(ask)

    async def find_session(self, session: str, owner: str) -> str | None:
        """Return the id of a session of this ingress; None: it has none such."""
        return self._relays.find(session, owner)

    async def end_session(self, session: str) -> bool:
        """End a session of this ingress, by its id; False: it has none such."""
        return await end_here(self._sessions, session)

    def _may_join(self, name: str) -> BatchPolicy | None:
        return self._fleet.follower.may_join(name)

    async def _ask(self) -> Sequence[Sequence[IngressFigures]]:
        return await _all_answers("figures")

    async def _relay_all(self, ask: Ask) -> Sequence[Answer]:
        return await _all_answers("relay", ask)

    async def _find_all(self, session: str, owner: str) -> Sequence[str | None]:
        return await _all_answers("find_session", session, owner)

    async def _end_all(self, session: str) -> Sequence[bool]:
        return await _all_answers("end_session", session)

    async def follow(self, placements: Placements, name: str, timeout_s: float) -> bool:
        """Follow placements; tell whether what they forbid has ended within the time.

        Args:
            placements: of every model.
            name: the model to wait for.
            timeout_s: how long.
        """
        await self._fleet.follower.follow(placements)
        return await self._fleet.follower.settle(name, timeout_s)

    async def placements(self) -> Placements:
        """Return the last placements known here, to a control that was restarted."""
        return self._fleet.follower.placements

    async def idle(self) -> dict[str, float | None]:
        """Return how long each model has been idle; see ``Follower.idle``."""
        return self._fleet.follower.idle()

    async def loads(self) -> dict[str, Load]:
        """Return how much each model has to do here; see ``Follower.loads``."""
        return self._fleet.follower.loads()

    async def __del__(self) -> None:  # Serve awaits it when it stops a replica
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self._jobs is not None:
            await self._jobs.stop()
        await self._listener.stop(self._admission, DRAIN_S - STOP_S)
        if self._grpc is not None:
            await self._grpc.stop(GRPC_STOP_S)
        await asyncio.to_thread(tracing.shut_down)


async def _all_answers(method: str, *arguments: Any) -> list[Any]:
    """Ask every ingress, and return what those answer that can."""
    handle = serve.get_deployment_handle(INGRESS, APPLICATION)
    answers = await handle.broadcast(method, *arguments).results_async(return_exceptions=True)
    return [answer for answer in answers if not isinstance(answer, BaseException)]
