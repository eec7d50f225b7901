"""Define what the client returns of jobs."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Literal, TypeAlias

from .answer import Answer

JobKind: TypeAlias = Literal["translation", "transcription"]


class JobProgress(Answer, frozen=True):
    """The progress of a job. ``total_s`` is None where the recording does not state its length."""

    stage: str
    done_s: float
    total_s: float | None = None


class JobError(Answer, frozen=True):
    """The reason why a job failed."""

    message: str
    code: str | None = None
    param: str | None = None


class Job(Answer, frozen=True):
    """A recording that the server works on in the background. Times are seconds since 1970."""

    id: str
    kind: str
    status: str  # queued, running, done or failed
    progress: JobProgress
    created_at: float
    filename: str = ""
    expires_at: float | None = None
    error: JobError | None = None

    @property
    def is_over(self) -> bool:
        return self.status not in ("queued", "running")


class JobResult(Answer, frozen=True):
    """The result of a job, as the endpoint of its kind would have answered."""

    content: bytes
    media_type: str
    request_id: str

    @property
    def text(self) -> str:
        return self.content.decode("utf-8")

    def save(self, path: str | PathLike[str]) -> None:
        """Write the result as it is: the path's extension changes nothing."""
        Path(path).write_bytes(self.content)
