"""The ingress deployment: HTTP, batching and the graph in one process; no model work."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Sequence
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.catalogue.placements import Placements
from deployments.catalogue.selection import Fleet
from deployments.config.environment import missing_settings
from deployments.config.schema import (
    APPLICATION,
    INGRESS,
    AppConfig,
    IngressUserConfig,
    check_policies,
)
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.http.server import Listener
from deployments.security import audit
from deployments.security.keys import Keyring
from deployments.serve.model_control import ServeDirectory
from deployments.serve.replica_address import stay_on_loopback
from deployments.telemetry import tracing
from deployments.telemetry.cluster_figures import Ledger, Page
from deployments.telemetry.log import logger, set_up

# A request leaves dozens of objects and no cycles: looking for these every 700 objects, as Python
# does, took a twentieth of the ingress' time.
GC_THRESHOLDS = (50_000, 50, 50)


@serve.deployment(name=INGRESS)
class Ingress:
    """Any number of replicas: each listens itself, and has its own batchers before the models."""

    def __init__(self, config: AppConfig, control: DeploymentHandle[Any]) -> None:
        gc.set_threshold(*GC_THRESHOLDS)
        seen = config.observability
        set_up(seen.log_format)
        stay_on_loopback()
        tracing.set_up(seen.trace_endpoint, seen.trace_ratio)
        for setting in missing_settings(os.environ):
            logger.warning("%s is not set: requests take the slow data path", setting)
        self._config = config
        self._fleet = Fleet(config, ServeDirectory(control))
        self._admission = Admission(config.limits.max_concurrent_requests)
        own = serve.get_replica_context().replica_id.unique_id
        ask = self._ask if config.ingress.replicas > 1 else None
        keyring = Keyring(config.security)
        self._ledger = Ledger(own, self._fleet.figures, ask, keyring.figures)
        app = asgi_app(self._fleet, config, self._admission, self._ledger, keyring)
        at = config.ingress
        self._listener = Listener(app, at.host, at.port, at.keep_alive_timeout_s, at.tls)
        gc.freeze()  # what is here stays: no collection looks through it again

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Apply batch policies; a re-deploy that changes only them comes here alone.

        A coroutine, so that Serve calls it on the event loop, where the batchers live. It is the
        first thing that Serve does there, so this begins to listen, too.

        Wrong policies are refused here and those before stay: Serve would take an exception for a
        dead replica, and end the requests that run in it.

        Raises:
            OSError: the address cannot be listened on.
        """
        if not self._listener.is_listening:
            try:
                self._listener.start()
            except OSError as error:
                at = self._config.ingress
                logger.error("%s:%s cannot be listened on: %s", at.host, at.port, error)
                raise
            self._fleet.start()
        try:
            validated = IngressUserConfig.model_validate(user_config)
            check_policies(validated, self._config)
        except ValueError as error:
            logger.error("the batch policies stay as they are: user_config is wrong: %s", error)
            return
        self._fleet.reconfigure(validated.batching)
        audit.note("policies", models=",".join(validated.batching) or "none")

    async def check_health(self) -> None:
        """Serve asks for it and starts another replica after some failures. Raises RuntimeError."""
        self._listener.check()

    async def drain(self, timeout_s: float) -> bool:
        """See ``Admission.drain``."""
        return await self._admission.drain(timeout_s, self._config.ingress.drain_notice_s)

    async def pages(self) -> list[Page]:
        """The figures that are known here, for another ingress."""
        return self._ledger.pages()

    async def _ask(self) -> Sequence[Sequence[Page]]:
        handle = serve.get_deployment_handle(INGRESS, APPLICATION)
        answers = await handle.broadcast("pages").results_async(return_exceptions=True)
        return [answer for answer in answers if not isinstance(answer, BaseException)]

    async def follow(self, placements: Placements, name: str, timeout_s: float) -> bool:
        """Send each model's batches to where it is now.

        Whether what must not go on with the model ``name`` has ended within ``timeout_s``.
        """
        await self._fleet.follower.follow(placements)
        return await self._fleet.follower.settle(name, timeout_s)

    async def placements(self) -> Placements:
        """The last that is known here, for a control that was restarted."""
        return self._fleet.follower.placements

    async def idle(self) -> dict[str, float | None]:
        """See ``Follower.idle``."""
        return self._fleet.follower.idle()

    async def __del__(self) -> None:  # Serve awaits it when it stops a replica
        await self._listener.stop()
        await asyncio.to_thread(tracing.shut_down)
