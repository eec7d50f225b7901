"""The operations of ``/v1/jobs``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, Field

from deployments.http.openapi import answers
from deployments.http.openapi.operations import (
    FILE,
    FORM,
    JSON,
    TEXT,
    TEXTS,
    WORK,
    Answer,
    Operation,
    Route,
    Schema,
)
from models.audio.encode import MEDIA_TYPES

JOBS = "Jobs"
BODY: Schema = {
    "type": "object",
    "description": "The fields of the kind's own endpoint: of `/v1/speech/translations` for a "
    "translation, of `/v1/audio/transcriptions` for a transcription; `stream` is refused.",
    "properties": {
        "file": {**FILE, "description": "A recording, as long as `library.jobs` allows."},
        "kind": {"enum": ["translation", "transcription"], "default": "translation"},
    },
    "required": ["file"],
    "additionalProperties": True,
}


class JobProgress(BaseModel):
    """The progress of a job."""

    stage: str = Field(
        description="waiting, transcribing or translating, writing, and at the end done or failed"
    )
    done_s: float = Field(description="of the recording, what is done")
    total_s: float | None = Field(description="what the recording states; null: nobody knows")


class JobError(BaseModel):
    """The reason why a job failed."""

    message: str
    code: str
    param: str | None


class Job(BaseModel):
    """A recording, and what is to be done with it."""

    id: str
    object: Literal["job"]
    kind: Literal["translation", "transcription"]
    status: Literal["queued", "running", "done", "failed"]
    progress: JobProgress
    created_at: int
    expires_at: int | None
    error: JobError | None
    filename: str


class Jobs(BaseModel):
    """The caller's jobs."""

    object: Literal["list"]
    data: list[Job]


class DeletedJob(BaseModel):
    """A job that is gone."""

    id: str
    object: Literal["job"]
    deleted: Literal[True]


OPERATIONS: Mapping[Route, Operation] = {
    ("POST", "/v1/jobs"): Operation(
        "create_job",
        JOBS,
        "Translate or transcribe a recording of any length, in the background",
        {202: Answer("The job, which waits.", {JSON: Job})},
        {FORM: BODY},
        errors=(404, 422, 507),
    ),
    ("GET", "/v1/jobs"): Operation(
        "list_jobs",
        JOBS,
        "List your jobs",
        {200: Answer("The jobs, the newest first.", {JSON: Jobs})},
        errors=(422,),
    ),
    ("GET", "/v1/jobs/{id}"): Operation(
        "show_job",
        JOBS,
        "Say how far a job is",
        {200: Answer("The job.", {JSON: Job})},
        parameters=("JobId",),
        errors=(404, 422),
    ),
    ("GET", "/v1/jobs/{id}/result"): Operation(
        "read_job_result",
        JOBS,
        "Send the result of a job",
        {
            200: Answer(
                "What the kind's own endpoint would have answered.",
                {
                    JSON: answers.SpeechTranslation
                    | answers.Transcription
                    | answers.DiarizedTranscription,
                    **{MEDIA_TYPES[name]: FILE for name in ("wav", "mp3", "opus", "flac")},
                    **dict.fromkeys(("text/plain", "application/x-subrip", "text/vtt"), TEXT),
                },
                (*WORK, *TEXTS),
            ),
            204: Answer("Audio was asked for, and nothing was said.", {}, (*WORK, *TEXTS)),
        },
        parameters=("JobId",),
        errors=(404, 409, 422),
    ),
    ("DELETE", "/v1/jobs/{id}"): Operation(
        "delete_job",
        JOBS,
        "Stop a job, and delete all of it",
        {200: Answer("It is gone.", {JSON: DeletedJob})},
        parameters=("JobId",),
        errors=(404, 422),
    ),
}
