"""The ingress deployment: HTTP, batching and the graph in one process; no model work."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.config import INGRESS, AppConfig, IngressUserConfig, check_policies
from deployments.fleet import Fleet
from deployments.ingress.app import asgi_app
from deployments.ingress.gate import Admission, Gate
from deployments.log import logger, set_up
from deployments.replica import ServeRemote
from deployments.settings import missing_settings


@serve.deployment(name=INGRESS)
@serve.ingress()
class Ingress:
    """Any number of replicas: each has its own batchers before the same models."""

    def __init__(self, config: AppConfig, handles: Mapping[str, DeploymentHandle[Any]]) -> None:
        set_up()
        for setting in missing_settings(os.environ):
            logger.warning("%s is not set: requests take the slow data path", setting)
        self._config = config
        remotes = {name: ServeRemote(handle) for name, handle in handles.items()}
        self._fleet = Fleet(config, remotes)
        self._admission = Admission(config.limits.max_concurrent_requests)

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Apply batch policies; a re-deploy that changes only them comes here alone.

        A coroutine, so that Serve calls it on the event loop, where the batchers live.

        Wrong ones are refused here and those before stay: Serve would take an exception for a
        dead replica, and end the requests that run in it.
        """
        try:
            validated = IngressUserConfig.model_validate(user_config)
            check_policies(validated, self._config)
        except ValueError as error:
            logger.error("the batch policies stay as they are: user_config is wrong: %s", error)
            return
        self._fleet.reconfigure(validated.batching)

    async def drain(self, timeout_s: float) -> bool:
        """Refuse new requests; whether those that run have ended within ``timeout_s``."""
        return await self._admission.drain(timeout_s)

    def __serve_build_asgi_app__(self) -> Gate:  # Serve's name for it
        return asgi_app(self._fleet, self._config, self._admission)
