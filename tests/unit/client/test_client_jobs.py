"""Jobs of the client, of both colours: what is sent, and how answers are read."""

from __future__ import annotations

import io
from pathlib import Path

import httpx
import pytest

from dragoman_client import Retry, StatusError
from dragoman_client.job_types import Job
from tests.support import fake_api
from tests.support.fake_api import JOB, Ask, ok, refusal, serving

DONE = {**JOB, "status": "done", "progress": {"stage": "done", "done_s": 60, "total_s": 60}}
FAILED = {
    **JOB,
    "status": "failed",
    "error": {"message": "no audio", "code": "not_audio", "param": "file"},
}


async def test_a_job_is_made_of_a_file_that_is_read_while_it_is_sent(ask: Ask, wav: Path) -> None:
    server = serving(httpx.Response(202, json=JOB))
    job = await ask(
        server, "create_job", wav, "transcription", response_format="srt", language=None
    )
    assert (job.id, job.status, job.is_over) == (JOB["id"], "queued", False)
    assert server.fields() == {"kind": "transcription", "response_format": "srt"}
    assert [(name, content) for _, name, content in server.form() if name] == [
        ("hello.wav", fake_api.WAV)
    ]
    assert server.requests[-1].headers["content-length"].isdigit()


@pytest.mark.parametrize("file", [fake_api.WAV, io.BytesIO(fake_api.WAV)], ids=["bytes", "file"])
async def test_other_files_are_sent_too(ask: Ask, file: bytes | io.BytesIO) -> None:
    server = serving(httpx.Response(202, json=JOB))
    if isinstance(file, io.BytesIO):
        file.seek(0)
    await ask(server, "create_job", file, target_language="pt")
    assert [content for _, name, content in server.form() if name] == [fake_api.WAV]


async def test_a_job_is_sent_once(ask: Ask, wav: Path) -> None:
    server = serving(refusal(503, "too_many_jobs"))
    with pytest.raises(StatusError):
        await ask(server, "create_job", wav, retry=Retry(attempts=3, backoff_s=0))
    assert len(server.requests) == 1


async def test_jobs_are_listed(ask: Ask) -> None:
    server = serving(ok({"object": "list", "data": [DONE, JOB]}))
    jobs = await ask(server, "jobs")
    assert [(job.status, job.progress.total_s) for job in jobs] == [
        ("done", 60.0),
        ("queued", None),
    ]


async def test_a_job_is_waited_for(ask: Ask) -> None:
    server = serving(ok(JOB), ok({**JOB, "status": "running"}), ok(DONE))
    told: list[Job] = []
    job = await ask(server, "wait_for_job", "job_1", poll_s=0.001, tell=told.append)
    assert (job.status, [each.status for each in told]) == ("done", ["queued", "running", "done"])


async def test_a_job_that_fails_raises_what_it_failed_of(ask: Ask) -> None:
    with pytest.raises(StatusError, match="no audio") as caught:
        await ask(serving(ok(FAILED)), "wait_for_job", "job_1")
    assert (caught.value.code, caught.value.param) == ("not_audio", "file")


async def test_waiting_has_an_end(ask: Ask) -> None:
    with pytest.raises(TimeoutError, match="job_1"):
        await ask(serving(ok(JOB)), "wait_for_job", "job_1", timeout_s=0.01, poll_s=0.001)


async def test_a_result_is_what_the_endpoint_would_have_answered(ask: Ask, tmp_path: Path) -> None:
    answer = httpx.Response(200, text="1\n...", headers={"content-type": "application/x-subrip"})
    result = await ask(serving(answer), "job_result", "job_1")
    assert (result.text, result.media_type) == ("1\n...", "application/x-subrip")
    result.save(tmp_path / "a.srt")
    assert (tmp_path / "a.srt").read_text() == "1\n..."
    translated = await ask(serving(ok(fake_api.SPEECH)), "job_translation", "job_1")
    assert translated.translation.text == "Olá, São João."


async def test_a_job_is_deleted(ask: Ask) -> None:
    server = serving(ok({"id": "job_1", "object": "job", "deleted": True}))
    assert await ask(server, "delete_job", "a/b") is None
    assert (server.requests[-1].method, server.requests[-1].url.raw_path) == (
        "DELETE",
        b"/v1/jobs/a%2Fb",
    )
