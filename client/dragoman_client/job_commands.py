"""Define the commands ``jobs``: what the server does in the background."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from . import console, long_files
from .job_types import Job
from .options import AsJson, writable

app = typer.Typer(help="Long recordings that the server works on.", no_args_is_help=True)
JobId = Annotated[str, typer.Argument(metavar="ID", help="A job that `jobs list` lists.")]


@app.command("list")
def list_jobs(context: typer.Context, as_json: AsJson = False) -> None:
    """List your jobs, the newest first."""
    with console.connected(context, "asking") as client:
        rows = client.jobs()
    if as_json:
        console.show_json(rows)
        return
    columns = ("id", "kind", "status", "stage", "done s", "of s", "made", "file")
    console.show_table(columns, [_row(job) for job in rows])


@app.command()
def show(context: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Say how far a job is, or why it failed."""
    with console.connected(context, "asking") as client:
        job = client.job(job_id)
    if as_json:
        console.show_json(job)
        return
    typer.echo(f"{job.status}: {long_files.place(job)}")
    if job.error is not None:
        console.fail(job.error.message)


@app.command()
def result(
    context: typer.Context,
    job_id: JobId,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Default: stdout.", callback=writable),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the job is done.")] = False,
) -> None:
    """Write the result of a job that is done."""
    with console.connected(context, "waiting for the job") as client:
        if wait:
            client.wait_for_job(job_id)
        found = client.job_result(job_id)
    if output is None:
        console.write_stdout([found.content])
    else:
        console.write(output, found.content, found.media_type)


@app.command()
def cancel(context: typer.Context, job_id: JobId) -> None:
    """Stop a job, and delete all of it."""
    with console.connected(context, "asking") as client:
        client.delete_job(job_id)
    console.notice(f"{job_id} is gone")


def _row(job: Job) -> tuple[console.Cell, ...]:
    made = datetime.fromtimestamp(job.created_at).astimezone().isoformat(" ", "minutes")
    progress = job.progress
    return (
        job.id,
        job.kind,
        job.status,
        progress.stage,
        progress.done_s,
        progress.total_s,
        made,
        job.filename,
    )
