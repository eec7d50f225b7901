"""``/v1/jobs``: recordings that are longer than a request takes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.config.schema import Limits
from deployments.http.forms import form_values
from deployments.http.kept import shelf_of
from deployments.http.middleware.admission import Admission
from deployments.http.parsing import media_type_of, names_of
from deployments.http.realtime.queries import owner
from deployments.http.streaming import StreamedResponse
from deployments.http.v1.job_kinds import DEFAULT, FIELDS, FromValues
from deployments.http.v1.job_upload import Upload, alongside, receive
from deployments.jobs.runner import Runner
from deployments.library.jobs import RESULT, Job, Jobs, JobShelf
from models.errors import InvalidRequest, JobNotDone, Overloaded
from models.types import SAMPLE_RATE_HZ

MAX_NAME_CHARS = 200


class JobRoutes:
    """The handlers.

    Args:
        runner: of the jobs that are kept here; None: nothing is kept.
        kinds: makes the work of each kind, to be looked at.
        limits: of requests.
        admission: says when the server stops.
    """

    def __init__(
        self,
        runner: Runner | None,
        kinds: Mapping[str, FromValues],
        limits: Limits,
        admission: Admission,
    ) -> None:
        self._runner, self._kinds = runner, kinds
        self._limits, self._admission = limits, admission
        self._uploads = 0
        most = 1 if runner is None else runner.jobs.settings.max_uploads
        self._writers = ThreadPoolExecutor(most, thread_name_prefix="upload")

    def routes(self) -> list[Route]:
        """Return the paths of jobs."""
        base, one = "/v1/jobs", "/v1/jobs/{id}"
        return [
            Route(base, self.create, methods=["POST"]),
            Route(base, self.list, methods=["GET"]),
            Route(one, self.show, methods=["GET"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/result", self.result, methods=["GET"]),
        ]

    async def create(self, request: Request) -> Response:
        """Take a recording in, and what is to be done with it."""
        runner = self._of(request)
        settings = runner.jobs.settings
        if (sent := media_type_of(request)) != "multipart/form-data":
            message = f"the body must be multipart/form-data, not {sent}"
            raise InvalidRequest(message, param="body")
        await asyncio.to_thread(runner.jobs.check_room)
        with self._place(settings.max_uploads):
            upload, form = Upload(), _Form()

            async def reading() -> None:
                sent = await receive(request, upload, settings, self._limits, self._admission)
                form.kind, form.values = _kind_and_values(sent)
                work = self._kinds[form.kind](form.values, owner(request.scope))
                await work.check()
                await upload.end()

            def names() -> tuple[str, str]:
                return form.kind, (upload.filename or "")[:MAX_NAME_CHARS]

            shelf = runner.jobs.of(owner(request.scope))
            job = await alongside(
                upload,
                lambda: shelf.add(names, upload.taken(), lambda: json.dumps(form.values).encode()),
                reading(),
                self._writers,
            )
        runner.wake()
        return JSONResponse(job_json(job), 202)

    async def list(self, request: Request) -> Response:
        """List the caller's jobs, the newest first."""
        jobs = await asyncio.to_thread(self._shelf(request).all)
        return JSONResponse({"object": "list", "data": [job_json(job) for job in reversed(jobs)]})

    async def show(self, request: Request) -> Response:
        """Say how far a job is. Raises NotFound."""
        return JSONResponse(job_json(await self._job(request)))

    async def delete(self, request: Request) -> Response:
        """Stop a job, and delete all of it. Raises NotFound."""
        job = await self._job(request)
        await asyncio.to_thread(self._shelf(request).delete, job.id)
        self._of(request).drop(job.id)
        return JSONResponse({"id": job.id, "object": "job", "deleted": True})

    async def result(self, request: Request) -> Response:
        """Answer as the endpoint would have. Raises NotFound, JobNotDone."""
        job = await self._job(request)
        if job.answer is None:
            message = f"the job is {job.status}: it has no result yet"
            if job.error is not None:
                message = f"the job failed, and has no result: {job.error['message']}"
            raise JobNotDone(message, param="id")
        status, headers = job.answer["status"], job.answer["headers"]
        pieces = _read(self._shelf(request), job.id)
        first = await anext(pieces, b"")
        if status != 200 or not first:
            return Response(first or None, status, headers)
        response = StreamedResponse(first, pieces, headers["content-type"])
        response.headers.update(headers)
        return response

    @contextmanager
    def _place(self, most: int) -> Iterator[None]:
        if self._uploads >= most:
            raise Overloaded("as many recordings as this server takes at once are being sent")
        self._uploads += 1
        try:
            yield
        finally:
            self._uploads -= 1

    def _of(self, request: Request) -> Runner:
        """Return who runs jobs here. Raises NothingKept: nobody does."""
        if self._runner is None:
            shelf_of(request.scope, None, "jobs")
        assert self._runner is not None
        return self._runner

    def _shelf(self, request: Request) -> JobShelf:
        jobs: Jobs = self._of(request).jobs
        return jobs.of(owner(request.scope))

    async def _job(self, request: Request) -> Job:
        return await asyncio.to_thread(self._shelf(request).get, request.path_params["id"])


class _Form:
    """The values of a job's form."""

    kind: str
    values: dict[str, Any]


def _kind_and_values(form: Any) -> tuple[str, dict[str, Any]]:
    """Return the kind of a job, and its other fields. Raises InvalidRequest: no such kind."""
    kind = form.get("kind") or DEFAULT
    if kind not in FIELDS:
        raise InvalidRequest(f"kind must be one of {', '.join(FIELDS)}", param="kind")
    values = form_values(form, names_of(FIELDS[kind]), ("file", "kind"))
    return kind, values


async def _read(shelf: JobShelf, id: str) -> AsyncGenerator[bytes]:
    pieces = shelf.pieces(id, RESULT)
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


def job_json(job: Job) -> dict[str, Any]:
    """Show a job as answers have it."""
    return {
        "id": job.id,
        "object": "job",
        "kind": job.kind,
        "status": job.status,
        "progress": {
            "stage": job.stage,
            "done_s": round(job.done_samples / SAMPLE_RATE_HZ, 3),
            "total_s": None if job.total_s is None else round(job.total_s, 3),
        },
        "created_at": round(job.created_at),
        "expires_at": None if job.expires_at is None else round(job.expires_at),
        "error": job.error,
        "filename": job.filename,
    }
