"""Run the jobs that wait, some at once, in each ingress process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from deployments.graph.pipeline import Pipeline
from deployments.jobs.run import Run
from deployments.jobs.threads import opened
from deployments.jobs.work import MakeWork, Sleep
from deployments.library.jobs import FIELDS, Claim, Jobs
from deployments.telemetry import usage
from deployments.telemetry.log import logger
from deployments.telemetry.usage import Account
from models.errors import DragomanError, InternalError, NotFound, Unauthorized, is_fault

LOOK_S = 1.0  # between two looks for jobs that wait, and for those that were deleted
KEY_GONE = "the key of this job is no longer known here, or may not ask for it any more"


class Runner:
    """Claims jobs and runs them.

    Args:
        jobs: of all owners.
        pipeline: that they run on; its codecs are theirs alone.
        kinds: makes the work of each kind.
        account_of: finds the key of an owner, for whom their audio counts; None: it is gone, or
            may ask for no jobs.
        sleep: waits before a further try of what failed.
    """

    def __init__(
        self,
        jobs: Jobs,
        pipeline: Pipeline,
        kinds: Mapping[str, MakeWork],
        account_of: Callable[[str], Account | None],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.jobs = jobs
        self._pipeline, self._kinds = pipeline, kinds
        self._account_of, self._sleep = account_of, sleep
        self._running: dict[str, tuple[Claim, asyncio.Task[None]]] = {}
        self._woken = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run jobs from now on."""
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look())

    async def stop(self) -> None:
        """Run no more jobs; other processes go on with those that ran here."""
        tasks = [task for _, task in self._running.values()]
        tasks += [self._looking] if self._looking is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self) -> None:
        """Look for a job that waits, now."""
        self._woken.set()

    def drop(self, id: str) -> None:
        """Work no more on a job that was deleted."""
        if id in self._running:
            self._running[id][1].cancel()

    async def _look(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._drop_deleted()
                await self._begin()
            except Exception:
                logger.exception("jobs cannot be looked for")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):  # wait_for of 3.11 may lose a cancellation
                    await self._woken.wait()

    async def _drop_deleted(self) -> None:
        for id, (claim, task) in list(self._running.items()):
            try:
                await asyncio.to_thread(claim.shelf.get, id)
            except NotFound:
                task.cancel()

    async def _begin(self) -> None:
        while len(self._running) < self.jobs.settings.at_once:
            claim = await opened(self.jobs.claim, _let_go)
            if claim is None:
                return
            task = asyncio.create_task(self._run(claim))
            self._running[claim.job.id] = claim, task

    async def _run(self, claim: Claim) -> None:
        try:
            await self._to_end(claim)
        except NotFound:
            logger.info("%s was deleted while it ran", claim.job.id)
        except Exception:
            logger.exception("%s could not be ended", claim.job.id)
        finally:
            del self._running[claim.job.id]
            claim.lock.close()
            self.wake()

    async def _to_end(self, claim: Claim) -> None:
        """Run a job; where it fails, its callers are told why. Raises NotFound: it is gone."""
        try:
            if claim.owner:
                usage.current.set(self._account(claim.owner))
            fields = await asyncio.to_thread(claim.shelf.read, claim.job.id, FIELDS)
            work = self._kinds[claim.job.kind](fields, claim.owner)
            most_s = self.jobs.settings.max_audio_s
            await Run(claim, work, self._pipeline, most_s, self._sleep).to_end()
        except Exception as error:
            await asyncio.to_thread(claim.shelf.get, claim.job.id)  # it may be why
            await _fail(claim, error)

    def _account(self, owner: str) -> Account:
        account = self._account_of(owner)
        if account is None:
            raise Unauthorized(KEY_GONE)
        return account


def _let_go(claim: Claim | None) -> None:
    if claim is not None:
        claim.lock.close()


async def _fail(claim: Claim, error: Exception) -> None:
    """Keep why a job failed, and nothing of its recording."""
    id = claim.job.id
    ours = error if isinstance(error, DragomanError) else InternalError(repr(error))
    message = ours.message
    if is_fault(ours):
        logger.error("%s failed", id, exc_info=error)
        message = f"internal error: the server's log has {id}"
    await asyncio.to_thread(claim.shelf.clear, id)  # first: the disk may be full
    told = {"message": message, "code": ours.code, "param": ours.param}
    job = await asyncio.to_thread(claim.shelf.get, id)
    await asyncio.to_thread(claim.shelf.change, job, status="failed", stage="failed", error=told)
