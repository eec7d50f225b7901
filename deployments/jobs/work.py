"""What is done with a recording: the contract between who runs jobs and each kind of them."""

from __future__ import annotations

import asyncio
import io
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from deployments.graph.context import Context
from deployments.library.jobs import Job, JobShelf
from models.audio.segments import Window
from models.types import SAMPLE_RATE_HZ, AnswerWarning, Audio, SpeechSpan


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a job, as an answer over HTTP has it."""

    pieces: Iterable[bytes]
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


class Done:
    """The parts of a recording that are done, all of them."""

    def __init__(self, shelf: JobShelf, job: Job) -> None:
        self._shelf, self._job = shelf, job

    @property
    def job_id(self) -> str:
        return self._job.id

    @property
    def starts_s(self) -> list[float]:
        """Return where each part begins."""
        return [start / SAMPLE_RATE_HZ for start in self._job.starts]

    @property
    def windows(self) -> list[Window]:
        """Return the parts as windows of the recording, which place what is in them."""
        return [Window((SpeechSpan(start_s, math.inf),), ()) for start_s in self.starts_s]

    @property
    def duration_s(self) -> float:
        """Return the length of the recording."""
        return self._job.done_samples / SAMPLE_RATE_HZ

    @property
    def warnings(self) -> tuple[AnswerWarning, ...]:
        """Return those of decoding."""
        return self._job.warnings

    def open_source(self) -> io.RawIOBase:
        """Open the recording itself."""
        return self._shelf.open_source(self._job.id)

    def read_now(self, name: str, number: int) -> bytes:
        """Return a file of a part; it blocks."""
        return self._shelf.read(self._job.id, part_name(name, number))

    async def read(self, name: str, number: int) -> bytes:
        """Return a file of a part."""
        return await asyncio.to_thread(self.read_now, name, number)


class Work(Protocol):
    """One job's work. Each part is worked on alone, maybe by a process that knows no other."""

    @property
    def stage(self) -> str:
        """Return the stage that callers are told, such as ``translating``."""

    async def look(self, source: io.RawIOBase, context: Context) -> None:
        """Refuse a recording before any of it is worked on. Raises DragomanError."""

    async def part(self, audio: Audio, context: Context) -> Mapping[str, bytes]:
        """Work on one part, and return its files by their names.

        Raises:
            Unavailable, DeadlinePassed: it is tried again later.
            DragomanError: the job fails.
        """

    async def whole(self, done: Done, context: Context) -> Answer:
        """Put the parts together."""


# Makes the work of a job of the fields of its form, for its owner. Raises DragomanError.
MakeWork: TypeAlias = Callable[[bytes, str], Work]
Sleep: TypeAlias = Callable[[float], Awaitable[None]]


def part_name(name: str, number: int) -> str:
    """Return the name under which a file of a part is kept."""
    return f"{name}-{number:05}"
