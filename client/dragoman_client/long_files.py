"""Send what is too long for one request as a job, and wait for its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from . import console
from .client import Client
from .errors import NotFound, TooLarge
from .files import name_of
from .job_types import Job, JobKind
from .options import STDIN

R = TypeVar("R")
MOST_BYTES = 190 << 20  # of one request: a server takes 200 MiB, unless it is told otherwise
TOO_LONG = ("file", "body")  # the parameters that a refusal blames for a recording's length


def done(
    client: Client,
    path: Path,
    kind: JobKind,
    fields: Mapping[str, Any],
    at_once: Callable[[], R],
    read: Callable[[str], R],
    output: Path | None = None,
) -> R:
    """Do what ``at_once`` does; of a file that is too long for that, by a job.

    Args:
        client: of the server.
        path: the file.
        kind: of the job.
        fields: of its form.
        at_once: makes one request.
        read: reads the result of the job of that id.
        output: what is written at the end. The job's id stands beside it meanwhile, so that a run
            that is broken off does not begin the job again.
    """
    ticket = None if output is None else output.with_name(f".{output.name}.job")
    has_job = ticket is not None and ticket.exists()
    if path == STDIN or not (has_job or path.stat().st_size > MOST_BYTES):
        try:
            return at_once()
        except TooLarge as error:
            if path == STDIN or error.code != "too_large" or error.param not in TOO_LONG:
                raise
    with console.telling(f"{name_of(path)} is long: sending it") as tell:
        job = _job(client, path, kind, fields, ticket)
        client.wait_for_job(job.id, tell=lambda job: tell(f"{name_of(path)}: {place(job)}"))
        result = read(job.id)
    client.delete_job(job.id)
    if ticket is not None:
        ticket.unlink(missing_ok=True)
    return result


def _job(
    client: Client, path: Path, kind: JobKind, fields: Mapping[str, Any], ticket: Path | None
) -> Job:
    """Return the job of an earlier run, or a new one."""
    if ticket is not None and ticket.exists():
        try:
            job = client.job(ticket.read_text("utf-8").strip())
        except NotFound:
            job = None
        if job is not None and job.error is None:
            console.notice(f"{path}: going on with {job.id}")
            return job
    job = client.create_job(path, kind, **fields)
    console.notice(f"{path}: too long for one request, so it is {job.id}")
    if ticket is not None:
        console.put(ticket, job.id.encode())
    return job


def place(job: Job) -> str:
    """Say how far a job is."""
    progress = job.progress
    of_all = "" if progress.total_s is None else f" of {_clock(progress.total_s)}"
    return f"{progress.stage}, {_clock(progress.done_s)}{of_all}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
