"""Run decoding and encoding on a few threads, in turns that are fair by caller.

Work comes in steps (``models.audio.steps``), and between two steps another job may go on. The
rules:

- The job whose caller was served least goes on. So short jobs end before long ones, and long ones
  share what is left. All work of one request is one caller's.
- A job that comes while every thread is busy takes the turn of the job that was served most, at
  the end of that one's step.
- Every ``OLDEST_EVERY``-th turn goes to the job that has waited longest, if that is longer than
  ``PATIENCE_S``, so that no job starves. Nobody takes that turn from it.
- The memory of the jobs that have begun is bounded. Beyond the bound only small jobs go on, and
  the one that holds most, which is nearest its end.
- A job whose deadline has passed, or whose caller has left, is dropped at the end of its step.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import Any, Generic, TypeAlias, TypeVar

from models.audio.steps import Steps
from models.errors import DeadlinePassed, QueueDeadlinePassed

R = TypeVar("R")
Work: TypeAlias = Steps[R] | Callable[[], R]

TURN_S = 0.005  # a short job can wait that long, and a change of turns takes far less
OLDEST_EVERY = 8  # one turn in so many goes to the job that has waited longest
PATIENCE_S = 0.5  # if it has waited longer than this
FORGET_S = 1.0  # a caller who had no job for so long counts as a new one
OPEN_BYTES = 128 << 20  # bound of what all jobs hold that have begun
SMALL_BYTES = 1 << 20  # what a small job holds at most: half a minute of audio


@dataclass(slots=True, eq=False)
class Caller:
    """One request: the time that it was served counts against its next job."""

    served_s: float = 0.0
    jobs: int = 0
    rested_at: float = -math.inf  # when its last job ended


@dataclass(slots=True, eq=False)
class Job(Generic[R]):
    """Work of one caller, who waits for it at ``answer``."""

    work: Work[R]
    caller: Caller
    answer: asyncio.Future[R]
    number: int = 0  # order of arrival
    waits_since: float = 0.0
    held_bytes: int = 0
    has_begun: bool = False
    gives_way: bool = False  # its turn ends with its present step
    keeps_turn: bool = False  # no newcomer takes its turn
    is_dropped: bool = False  # nobody waits for it any more


class Line:
    """Decides which job goes on next. Not safe for threads: its caller holds the lock."""

    def __init__(self, open_bytes: int = OPEN_BYTES, small_bytes: int = SMALL_BYTES) -> None:
        self._open_bytes = open_bytes
        self._small_bytes = small_bytes
        self._waiting: dict[Job[Any], None] = {}
        self._running: dict[Job[Any], float] = {}  # since when
        self._arrivals = self._turns = 0
        self.held_bytes = 0

    def __len__(self) -> int:
        """Count the jobs that wait for a turn."""
        return len(self._waiting)

    def add(self, job: Job[Any], now: float) -> None:
        """Let a new job wait for its first turn."""
        caller = job.caller
        if not caller.jobs and now - caller.rested_at > FORGET_S:
            caller.served_s = 0.0
        caller.jobs += 1
        self._arrivals += 1
        job.number, job.waits_since = self._arrivals, now
        self._waiting[job] = None

    def interrupt_for(self, job: Job[Any], now: float) -> None:
        """End the turn of the job that was served most, for a new job that was served less."""
        served_s = {
            running: running.caller.served_s + now - since
            for running, since in self._running.items()
            if not running.keeps_turn
        }
        most = max(served_s, key=served_s.__getitem__, default=None)
        if most is not None and served_s[most] > job.caller.served_s:
            most.gives_way = True

    def next(self, now: float) -> Job[Any] | None:
        """Take the job that goes on now; None: no job waits."""
        if not self._waiting:
            return None
        self._turns += 1
        allowed = self._allowed()
        job = min(allowed, key=lambda each: (each.caller.served_s, each.number))
        oldest = min(allowed, key=lambda each: (each.waits_since, each.number))
        is_due = now - oldest.waits_since > PATIENCE_S and not self._turns % OLDEST_EVERY
        if is_due:
            job = oldest
        del self._waiting[job]
        self._running[job] = now
        job.has_begun, job.gives_way, job.keeps_turn = True, False, is_due
        return job

    def _allowed(self) -> list[Job[Any]]:
        """List the jobs that may go on within the bound of memory."""
        jobs = list(self._waiting)
        if self.held_bytes < self._open_bytes:
            return jobs
        furthest = max(jobs, key=lambda each: (each.held_bytes, -each.number))
        return [job for job in jobs if job is furthest or job.held_bytes <= self._small_bytes]

    def pause(self, job: Job[Any], now: float, held_bytes: int) -> None:
        """End a job's turn and let it wait for the next one."""
        job.caller.served_s += now - self._running.pop(job)
        self.held_bytes += held_bytes - job.held_bytes
        job.held_bytes, job.waits_since = held_bytes, now
        self._waiting[job] = None

    def end(self, job: Job[Any], now: float) -> None:
        """Forget a job that has ended."""
        since = self._running.pop(job, None)
        if since is not None:
            job.caller.served_s += now - since
        elif job in self._waiting:
            del self._waiting[job]
        else:
            return
        self.held_bytes -= job.held_bytes
        job.held_bytes = 0
        job.caller.jobs -= 1
        job.caller.rested_at = now

    def drop(self, job: Job[Any], now: float) -> bool:
        """Let a job go no further. Return whether it is over; else its present step still runs."""
        job.is_dropped = job.gives_way = True
        if job in self._running:
            return False
        self.end(job, now)
        return True


class Codecs:
    """The threads that decode and encode; a context manager around their use."""

    def __init__(self, threads: int, line: Line | None = None) -> None:
        self._line = line or Line()
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="codec")
        self._most = threads
        self._working = 0  # threads that take turns

    def __enter__(self) -> Codecs:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish the jobs that there are, and end the threads."""
        self._threads.shutdown()

    async def run(self, work: Work[R], deadline: float, caller: Caller | None = None) -> R:
        """Run a call, or steps, on a thread in turn with all other work; return its result.

        Args:
            work: steps can be interrupted, a call cannot.
            deadline: on the event loop's clock.
            caller: whose work it is; None: a caller with no other work.

        Raises:
            QueueDeadlinePassed: the deadline passed before the work began.
            DeadlinePassed: the deadline passed before the work ended.
        """
        job: Job[R] = Job(work, caller or Caller(), asyncio.get_running_loop().create_future())
        self._add(job)
        try:
            async with asyncio.timeout_at(deadline) as time_left:
                return await job.answer
        except TimeoutError:
            if not time_left.expired():
                raise
            if self._leave(job):
                raise DeadlinePassed("the deadline passed in decoding or encoding") from None
            message = "the deadline passed in the queue of what decodes and encodes"
            raise QueueDeadlinePassed(message) from None
        finally:
            self._leave(job)
            del job  # its error holds this frame: a cycle would keep what was decoded

    def _add(self, job: Job[Any]) -> None:
        with self._lock:
            if self._working < self._most:
                self._threads.submit(self._work)
                self._working += 1
            else:
                self._line.interrupt_for(job, time.perf_counter())
            self._line.add(job, time.perf_counter())

    def _leave(self, job: Job[Any]) -> bool:
        """Let a job go no further. Return whether it had begun."""
        with self._lock:
            is_over = self._line.drop(job, time.perf_counter())
            has_begun = job.has_begun
        if is_over:
            _close(job.work)
        return has_begun

    def _work(self) -> None:
        """Give turns to jobs, on a thread, until no job waits for one."""
        while True:
            with self._lock:
                job = self._line.next(time.perf_counter())
                if job is None:
                    self._working -= 1
                    return
            self._turn(job)

    def _turn(self, job: Job[Any]) -> None:
        """Run some steps of a job; answer its caller after the last one."""
        until = time.perf_counter() + TURN_S
        try:
            if callable(job.work):
                result = job.work()
            else:
                held_bytes = next(job.work)
                while not job.gives_way and time.perf_counter() < until:
                    held_bytes = next(job.work)
                self._pause(job, held_bytes)
                return
        except StopIteration as end:
            self._end(job, result=end.value)
        except BaseException as error:
            self._end(job, error=error)
        else:
            self._end(job, result=result)
        finally:
            del job  # see ``run``

    def _pause(self, job: Job[Any], held_bytes: int) -> None:
        now = time.perf_counter()
        with self._lock:
            if not job.is_dropped:
                self._line.pause(job, now, held_bytes)
                return
            self._line.end(job, now)
        _close(job.work)

    def _end(
        self, job: Job[Any], *, result: object = None, error: BaseException | None = None
    ) -> None:
        with self._lock:
            self._line.end(job, time.perf_counter())
        with suppress(RuntimeError):  # the event loop is closed
            job.answer.get_loop().call_soon_threadsafe(_answer, job.answer, result, error)


def _answer(answer: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if answer.done():
        return  # the caller has left
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(result)


def _close(work: Work[Any]) -> None:
    if not callable(work):
        work.close()
