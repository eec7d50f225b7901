"""Decide what happens to requests of a model that is unloaded or replaced: they end first."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from deployments.batching.batcher import Batcher
from deployments.batching.concurrency import detached
from deployments.catalogue.link import Link

END_S = 30.0  # for batches to end that were sent to replicas which have been replaced


class Unloading:
    """Let what was sent to a model's former application end, and cut off what takes too long."""

    def __init__(self) -> None:
        self._ending: defaultdict[str, set[asyncio.Task[None]]] = defaultdict(set)

    def end(self, name: str, link: Link, *, is_gone: bool) -> None:
        """End a link to an application: at once if that is gone, else once its batches have."""
        task: asyncio.Task[None] = detached(link.end(0.0 if is_gone else END_S))
        self._ending[name].add(task)
        task.add_done_callback(self._ending[name].discard)

    async def settled(self, name: str, waiting: Batcher[Any, Any] | None, timeout_s: float) -> bool:
        """Wait until nothing of a model ends any more; return False if that takes too long.

        ``waiting``: the queue of a model that takes no new requests; it must be empty, too.
        """
        try:
            async with asyncio.timeout(timeout_s):
                if waiting is not None:
                    await waiting.until_idle()
                while self._ending[name]:
                    await asyncio.wait(self._ending[name])
        except TimeoutError:
            return False
        return True
