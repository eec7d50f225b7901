"""The commands of jobs, and files that are too long for one request."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from dragoman_client import long_files
from tests.support import fake_api
from tests.support.fake_api import JOB, FakeServer, ok, refusal, serving
from tests.unit.client.dragoman import run

DONE = {**JOB, "status": "done", "progress": {"stage": "done", "done_s": 60, "total_s": 60}}
FAILED = {**JOB, "status": "failed", "error": {"message": "no audio", "code": "not_audio"}}
TOO_LONG = refusal(413, "too_large", "The audio is longer than 600 s.", param="file")
MADE = httpx.Response(202, json=JOB)
GONE = ok({"id": JOB["id"], "object": "job", "deleted": True})
TEXT = httpx.Response(200, text="Good day.", headers={"content-type": "text/plain"})


def asked(server: FakeServer) -> list[str]:
    return [f"{request.method} {request.url.path}" for request in server.requests]


def of_job(path: str = "") -> str:
    return f"/v1/jobs/{JOB['id']}{path}"


def test_jobs_are_listed() -> None:
    result = run(serving(ok({"object": "list", "data": [DONE]})), "jobs", "list")
    head, row = result.stdout.splitlines()
    assert head.split("\t")[:3] == ["id", "kind", "status"]
    assert row.split("\t")[:6] == [JOB["id"], "translation", "done", "done", "60.0", "60.0"]


@pytest.mark.parametrize(
    ("job", "exit_code", "said"),
    [
        pytest.param(JOB, 0, "queued: waiting, 0:00:00", id="queued"),
        pytest.param(DONE, 0, "done: done, 0:01:00 of 0:01:00", id="done"),
        pytest.param(FAILED, 1, "failed: waiting, 0:00:00", id="failed"),
    ],
)
def test_a_job_is_shown(job: fake_api.Json, exit_code: int, said: str) -> None:
    result = run(serving(ok(job)), "jobs", "show", "job_1")
    assert (result.exit_code, result.stdout) == (exit_code, f"{said}\n")
    assert ("no audio" in result.stderr) == (exit_code == 1)


def test_a_result_is_written(tmp_path: Path) -> None:
    server = serving(ok(DONE), TEXT)
    result = run(server, "jobs", "result", "job_1", "--wait", "-o", tmp_path / "a.txt")
    assert (result.exit_code, (tmp_path / "a.txt").read_text()) == (0, "Good day.")
    assert run(serving(TEXT), "jobs", "result", "job_1").stdout == "Good day."


def test_a_job_is_cancelled() -> None:
    server = serving(GONE)
    assert run(server, "jobs", "cancel", "job_1").exit_code == 0
    assert asked(server) == ["DELETE /v1/jobs/job_1"]


# ---- long files ---------------------------------------------------------------------------


def test_what_is_refused_for_its_length_becomes_a_job(wav: Path) -> None:
    server = serving(TOO_LONG, MADE, ok(DONE), TEXT, GONE)
    result = run(server, "transcribe", wav, "--language", "en", "--format", "text")
    assert (result.exit_code, result.stdout) == (0, "Good day.\n")
    assert asked(server) == [
        "POST /v1/audio/transcriptions",
        "POST /v1/jobs",
        f"GET {of_job()}",
        f"GET {of_job('/result')}",
        f"DELETE {of_job()}",
    ]


def test_what_is_large_is_not_sent_in_vain(wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_files, "MOST_BYTES", 3)
    server = serving(MADE, ok(DONE), ok(fake_api.SPEECH), GONE)
    result = run(server, "translate", wav, "--to", "pt", "-o", wav.with_suffix(".mp3"))
    assert (result.exit_code, wav.with_suffix(".mp3").read_bytes()) == (0, fake_api.WAV)
    assert asked(server)[0] == "POST /v1/jobs"


def test_a_job_asks_for_what_a_request_would_have(wav: Path) -> None:
    server = serving(TOO_LONG, MADE, ok(DONE), ok(fake_api.SPEECH), GONE)
    args = [
        "--from",
        "en",
        "--voice",
        "v",
        "--speed",
        "1.1",
        "--embedding",
        "--glossary",
        "gloss_1",
    ]
    run(server, "translate", wav, "--to", "pt", *args, "-o", wav.with_suffix(".mp3"))
    at_once, as_job = (FakeServer([], [request]).fields() for request in server.requests[:2])
    assert as_job == {**at_once, "kind": "translation"}


@pytest.mark.parametrize("options", [[], ["--bilingual"]], ids=["one language", "bilingual"])
def test_subtitles_of_a_long_film_are_a_job_s(wav: Path, options: list[str]) -> None:
    server = serving(TOO_LONG, MADE, ok(DONE), httpx.Response(200, text="1\n..."), GONE)
    run(server, "translate", wav, "--to", "pt", "-o", wav.with_suffix(".srt"), *options)
    at_once, as_job = (FakeServer([], [request]).fields() for request in server.requests[:2])
    assert as_job == {**at_once, "kind": "translation"}
    assert wav.with_suffix(".srt").read_text() == "1\n..."


def test_a_long_film_is_dubbed_by_a_job(wav: Path) -> None:
    film = httpx.Response(200, content=b"a film", headers={"x-transcript": "UTF-8''Good"})
    server = serving(TOO_LONG, MADE, ok(DONE), film, GONE)
    result = run(server, "dub", wav, "--to", "pt", "--subtitles", "-o", wav.with_suffix(".mkv"))
    at_once, as_job = (FakeServer([], [request]).fields() for request in server.requests[:2])
    assert as_job == {**at_once, "kind": "translation"}
    assert (result.exit_code, wav.with_suffix(".mkv").read_bytes()) == (0, b"a film")


def test_another_refusal_is_one(wav: Path) -> None:
    server = serving(refusal(413, "storage_full", param="file"))
    assert run(server, "transcribe", wav).exit_code == 1
    assert asked(server) == ["POST /v1/audio/transcriptions"]


def test_a_job_that_fails_says_why(wav: Path) -> None:
    result = run(serving(TOO_LONG, MADE, ok(FAILED)), "transcribe", wav)
    assert (result.exit_code, "no audio" in result.stderr) == (1, True)


def test_a_run_that_is_broken_off_goes_on_with_its_job(wav: Path) -> None:
    ticket = wav.with_name(".hello.txt.job")
    broken = serving(TOO_LONG, MADE, httpx.ReadError("the network is gone"))
    assert run(broken, "transcribe", wav.parent).exit_code == 1
    assert ticket.read_text() == JOB["id"]
    server = serving(ok(JOB), ok(DONE), TEXT, GONE)
    assert run(server, "transcribe", wav.parent).exit_code == 0
    assert asked(server)[0] == f"GET {of_job()}"
    assert "POST /v1/jobs" not in asked(server)
    assert (wav.with_name("hello.txt").read_text(), ticket.exists()) == ("Good day.", False)


def test_a_job_that_is_gone_is_begun_again(wav: Path) -> None:
    wav.with_name(".hello.txt.job").write_text("job_0")
    server = serving(refusal(404, "not_found"), MADE, ok(DONE), TEXT, GONE)
    assert run(server, "transcribe", wav.parent).exit_code == 0
    assert asked(server)[:2] == ["GET /v1/jobs/job_0", "POST /v1/jobs"]


def test_a_glossary_is_an_id_or_a_file(wav: Path, tmp_path: Path) -> None:
    glossary = {"name": "names", "terms": [{"term": "Dragoman", "language": "en"}]}
    (tmp_path / "words.json").write_text(json.dumps(glossary))
    server = serving(TEXT)
    run(server, "transcribe", wav, "--glossary", "gloss_1")
    assert server.fields()["glossary"] == "gloss_1"
    run(server, "transcribe", wav, "--glossary", tmp_path / "words.json")
    assert json.loads(server.fields()["glossary"]) == glossary
    (tmp_path / "words.json").write_text("{")
    assert run(server, "transcribe", wav, "--glossary", tmp_path / "words.json").exit_code == 2
