"""Load a model that was unloaded as idle, for those who ask for it."""

from __future__ import annotations

import asyncio

from deployments.batching.concurrency import detached
from deployments.catalogue.placements import Directory
from deployments.config.schema import AppConfig
from deployments.telemetry.log import logger
from models.errors import DragomanError, NotReady


class Waking:
    """Ask for models to be loaded, from one ingress.

    Args:
        config: the application's.
        directory: loads them.
    """

    def __init__(self, config: AppConfig, directory: Directory) -> None:
        self._config = config
        self._directory = directory
        self._begun: dict[str, asyncio.Task[None]] = {}

    def begin(self, name: str) -> None:
        """Have a model loaded, and return at once."""
        if name not in self._begun:
            self._begun[name] = task = detached(self._load(name))
            task.add_done_callback(lambda _: self._begun.pop(name))

    async def until_loaded(self, name: str) -> None:
        """Return once a model serves.

        Raises:
            NotReady: its replicas come and go with the load. A machine for one may have to come
                first, so nobody waits: it is loaded for whoever asks again.
            Unavailable: it cannot be loaded.
        """
        if self._config.models[name].may_have_none:
            self.begin(name)
            raise NotReady(f"model {name!r} is still loading")
        await self._directory.wake(name)

    async def _load(self, name: str) -> None:
        try:
            await self._directory.wake(name)
        except DragomanError as error:
            logger.error("%s", error.message)
