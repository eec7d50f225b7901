"""Run one job to its end, from wherever it was left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, closing
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from deployments.batching.live import BACKGROUND
from deployments.graph.context import Context
from deployments.graph.pipeline import Pipeline
from deployments.jobs.cutting import PIECE_SAMPLES, Part, parts
from deployments.jobs.threads import opened
from deployments.jobs.work import Done, Sleep, Work, part_name
from deployments.library.jobs import RESULT, Claim
from deployments.telemetry import usage
from deployments.telemetry.log import logger
from models.audio.long import LongFile, Pieces
from models.errors import DeadlinePassed, Unavailable
from models.types import SAMPLE_RATE_HZ, AnswerWarning, VadItem, VadResult

R = TypeVar("R")

MOST_BEGUN = 5  # a job during which the process ended so often is not begun again
PART_TIMEOUT_S = 3600.0  # a part may wait for long behind what others wait for
WAITS_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)  # before each further try


class Run:
    """One job that this process has claimed.

    Args:
        claim: on the job.
        work: of the job.
        pipeline: decodes the recording, and asks the VAD.
        max_audio_s: most of the recording.
        sleep: waits before a further try.
    """

    def __init__(
        self,
        claim: Claim,
        work: Work,
        pipeline: Pipeline,
        max_audio_s: float,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._shelf, self._job = claim.shelf, claim.job
        self._work, self._pipeline = work, pipeline
        self._max_audio_s, self._sleep = max_audio_s, sleep
        self._warnings: tuple[AnswerWarning, ...] = ()

    async def to_end(self) -> None:
        """Work on all parts that are not done, and put them together.

        Raises:
            NotFound: the job was deleted.
            DragomanError: it fails.
        """
        if self._job.begun >= MOST_BEGUN:
            times = f"{self._job.begun} times"
            raise Unavailable(f"the server ended {times} while it worked on one part")
        await asyncio.to_thread(self._shelf.tidy, self._job.id)
        stage = self._work.stage
        await self._change(status="running", stage=stage, begun=self._job.begun + 1)
        if not self._job.is_heard:
            await self._hear()
        await self._change(stage="writing")
        answer = await self._work.whole(Done(self._shelf, self._job), _context())
        await asyncio.to_thread(self._shelf.write, self._job.id, RESULT, answer.pieces)
        told = {"status": answer.status, "headers": dict(answer.headers)}
        await self._change(status="done", stage="done", answer=told)
        await asyncio.to_thread(self._shelf.clear, self._job.id)

    async def _hear(self) -> None:
        """Work on each part, while the next one is read."""
        id = self._job.id
        source = await opened(lambda: self._shelf.open_source(id), lambda file: file.close())
        with closing(source) as file:
            recording = await self._off_loop(lambda: LongFile(file))
            if self._job.total_s is None:
                await self._change(total_s=await self._off_loop(recording.stated_s))
                await self._work.look(source, _context())
            start = self._job.done_samples
            pieces = recording.pieces(PIECE_SAMPLES, self._max_audio_s, skipped=start)
            async with aclosing(parts(self._reader(pieces), self._vad, start)) as cut:
                await self._work_on(cut)
        total_s = self._job.done_samples / SAMPLE_RATE_HZ
        await self._change(is_heard=True, total_s=total_s, warnings=self._warnings)

    def _reader(self, pieces: Pieces) -> Callable[[], Awaitable[NDArray[np.int16] | None]]:
        def next_piece() -> NDArray[np.int16] | None:
            try:
                return next(pieces)
            except StopIteration as end:
                self._warnings = end.value or ()
                return None

        async def read() -> NDArray[np.int16] | None:
            return await self._off_loop(next_piece)

        return read

    async def _work_on(self, cut: Any) -> None:
        async def following() -> Part | None:
            return await anext(cut, None)

        coming = asyncio.create_task(following())
        try:
            while (part := await coming) is not None:
                coming = asyncio.create_task(following())
                await self._do(part)
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)

    async def _do(self, part: Part) -> None:
        """Work on one part, and keep what comes of it. Raises QuotaUsed: its key has no more."""
        usage.check_quotas()
        files = await self._tried(lambda context: self._work.part(part.audio, context))
        usage.heard(len(part.samples) / SAMPLE_RATE_HZ)
        number = len(self._job.starts)
        for name, data in files.items():
            await asyncio.to_thread(
                self._shelf.write, self._job.id, part_name(name, number), [data]
            )
        starts = (*self._job.starts, part.start)
        await self._change(starts=starts, done_samples=part.end, begun=0)

    async def _vad(self, item: VadItem) -> VadResult:
        async def asked(context: Context) -> VadResult:
            model = self._pipeline.planner.model("vad")
            found: VadResult = await self._pipeline.stages.run("vad", model, item, context)
            return found

        return await self._tried(asked)

    async def _tried(self, work: Callable[[Context], Awaitable[R]]) -> R:
        """Work until it is done, or has failed for a reason that does not pass."""
        for wait_s in WAITS_S:
            try:
                return await work(_context())
            except (Unavailable, DeadlinePassed) as error:
                logger.info("%s: %s; again in %g s", self._job.id, error, wait_s)
            await self._sleep(wait_s)
        return await work(_context())

    async def _change(self, **changes: Any) -> None:
        self._job = await asyncio.to_thread(self._shelf.change, self._job, **changes)

    async def _off_loop(self, call: Callable[[], R]) -> R:
        return await self._pipeline.codecs.run(call, _context().deadline)


def _context() -> Context:
    deadline = asyncio.get_running_loop().time() + PART_TIMEOUT_S
    return Context(deadline, BACKGROUND)
