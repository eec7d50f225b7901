"""Send batches to the replicas of one application, and know which calls are running."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from deployments.batching.batch import BatchReply, ReplicaLost
from deployments.catalogue.placements import Remote


class Link:
    """Count the calls to one application, so that they can be awaited or cut off."""

    def __init__(self, app: str, remote: Remote) -> None:
        self.app = app
        self.remote = remote
        self._calls: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def infer(self, items: Sequence[Any]) -> BatchReply[Any]:
        """Run one batch as ``Remote.infer`` does. Raises ReplicaLost, also if the link ends."""
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
        finally:
            del call  # it holds the task, whose error would hold this frame and the batch: no cycle

    async def end(self, after_s: float) -> None:
        """Wait for the running calls, and cut off those that have not ended within the time."""
        try:
            await asyncio.wait_for(self._idle.wait(), after_s)
        except TimeoutError:
            now = asyncio.get_running_loop().time()
            for call in self._calls:
                call.reschedule(now)
