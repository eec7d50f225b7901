# Generated from async_jobs.py by `make generate`: change that file.
"""Jobs: the calls that let the server work on long recordings in the background."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

from . import parsing
from .connection import Connection
from .errors import StatusError, TimeoutError
from .exchange import Call, Form, opened_upload
from .job_types import Job, JobKind, JobResult
from .policy import Timeout
from .types import AudioFile, SpeechTranslation, TranslatedAudio

JOBS = "/v1/jobs"
NO_END = Timeout(total_s=None)  # of a long recording, up or down


class Jobs(Connection):
    """The part of :class:`Client` that has jobs: for what is too long for one request.

    >>> job = client.create_job("meeting.mp3", "transcription", response_format="srt")
    >>> job = client.wait_for_job(job.id)
    >>> (client.job_result(job.id)).save("meeting.srt")
    """

    def create_job(
        self,
        file: AudioFile,
        kind: JobKind = "translation",
        **fields: str | float | list[str] | None,
    ) -> Job:
        """Send a recording, and what is to be done with it; return at once.

        ``fields`` are those of the kind's endpoint: of ``POST /v1/speech/translations``, or of
        ``POST /v1/audio/transcriptions``. The file is read while it is sent. It is sent once:
        a second try could make a second job.

        >>> job = client.create_job("film.mp4", target_language="pt", response_format="srt")
        """
        form: Form = {"kind": kind}
        for name, value in fields.items():
            if value is not None:
                form[name] = value if isinstance(value, list) else str(value)
        with opened_upload(file) as upload:
            call = Call(
                "POST",
                JOBS,
                parsing.job,
                form=form,
                uploads=[upload],
                retries=False,
                timeout=NO_END,
            )
            return self._send(call)

    def jobs(self) -> list[Job]:
        """Return your jobs, the newest first."""
        return self._send(Call("GET", JOBS, parsing.jobs))

    def job(self, job_id: str) -> Job:
        """Return one of :meth:`jobs`. Raise NotFound."""
        return self._send(Call("GET", _path(job_id), parsing.job))

    def wait_for_job(
        self,
        job_id: str,
        *,
        timeout_s: float | None = None,
        poll_s: float = 1.0,
        tell: Callable[[Job], None] | None = None,
    ) -> Job:
        """Wait until a job is done, and return it.

        ``tell`` is called with the job every ``poll_s`` seconds. Raise StatusError, with the
        server's words, if the job fails, and TimeoutError if it takes longer than ``timeout_s``.
        """
        ends_at = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            job = self.job(job_id)
            if tell is not None:
                tell(job)
            if job.error is not None:
                raise StatusError(job.error.message, code=job.error.code, param=job.error.param)
            if job.is_over:
                return job
            if ends_at is not None and time.monotonic() >= ends_at:
                raise TimeoutError(f"the job {job_id} is not done after {timeout_s:g} s")
            time.sleep(poll_s)

    def job_result(self, job_id: str) -> JobResult:
        """Return the result of a job that is done. Raise NotFound, or StatusError (409)."""
        path = f"{_path(job_id)}/result"
        return self._send(Call("GET", path, parsing.job_result, timeout=NO_END))

    def job_translation(self, job_id: str) -> SpeechTranslation:
        """Return the result of a translation that was asked for as JSON; see the types."""
        path = f"{_path(job_id)}/result"
        return self._send(Call("GET", path, parsing.speech_translation, timeout=NO_END))

    def job_audio(self, job_id: str, response_format: str) -> TranslatedAudio:
        """Return the result of a translation that was asked for as a spoken file, or as a film."""
        parse = partial(parsing.translated_audio, audio_format=response_format)
        path = f"{_path(job_id)}/result"
        return self._send(Call("GET", path, parse, timeout=NO_END))

    def delete_job(self, job_id: str) -> None:
        """Stop a job, and delete all of it at the server. Raise NotFound."""
        self._send(Call("DELETE", _path(job_id), parsing.nothing))


def _path(job_id: str) -> str:
    return f"{JOBS}/{quote(job_id, safe='')}"
