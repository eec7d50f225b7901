"""``/v1/jobs``: created, run, and answered as the endpoints themselves answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deployments.config.schema import AppConfig
from deployments.config.security import Key, Quotas, Scope, Security
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.security.keys import new_key
from models.audio.decode import decode
from tests.support.asgi import SILENCE, SPEECH, connect
from tests.support.bad_input import form
from tests.support.jobs import JOBS, JobServer, job_config, job_server
from tests.support.local import fake_config, fake_fleet

TRANSCRIBE, TRANSLATE = "/v1/audio/transcriptions", "/v1/speech/translations"
PATHS = {"transcription": TRANSCRIBE, "translation": TRANSLATE}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[JobServer]:
    async with job_server(job_config(tmp_path)) as made:
        yield made


def timeless(body: Any) -> Any:
    """Leave out what differs from one answer to the next."""
    return {name: value for name, value in body.items() if name not in ("id", "timings")}


@pytest.mark.parametrize(
    "response_format", ["json", "text", "srt", "vtt", "verbose_json", "diarized_json"]
)
async def test_a_short_transcription_is_what_the_endpoint_answers(
    server: JobServer, response_format: str
) -> None:
    fields = {"response_format": response_format}
    own = await server.http.post(TRANSCRIBE, **form(SPEECH, **fields))
    result = await server.result(SPEECH, kind="transcription", **fields)
    assert (result.status_code, result.content) == (200, own.content)
    assert result.headers["content-type"] == own.headers["content-type"]


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": "json"},
        {"response_format": "json", "audio_format": "none"},
        {"response_format": "json", "audio_format": "pcm", "include[]": "embedding"},
        {"response_format": "json", "voice": "source"},
    ],
    ids=str,
)
async def test_a_short_translation_is_what_the_endpoint_answers(
    server: JobServer, fields: dict[str, str]
) -> None:
    fields = {"target_language": "pt", **fields}
    own = await server.http.post(TRANSLATE, **form(SPEECH, **fields))
    result = await server.result(SPEECH, **fields)
    assert timeless(result.json()) == timeless(own.json())
    assert result.headers["content-type"] == own.headers["content-type"]


@pytest.mark.parametrize("response_format", ["json", "wav", "srt"])
async def test_silence_is_answered_as_the_endpoint_answers_it(
    server: JobServer, response_format: str
) -> None:
    fields = {"target_language": "pt", "response_format": response_format}
    own = await server.http.post(TRANSLATE, **form(SILENCE, **fields))
    result = await server.result(SILENCE, **fields)
    assert result.status_code == own.status_code
    if response_format == "json":
        assert timeless(result.json()) == timeless(own.json())
    else:
        assert result.content == own.content


@pytest.mark.parametrize("audio_format", ["wav", "mp3", "opus", "flac"])
async def test_spoken_files_have_the_texts_beside_them(
    server: JobServer, audio_format: str
) -> None:
    fields = {"target_language": "pt", "response_format": audio_format}
    own = await server.http.post(TRANSLATE, **form(SPEECH, **fields))
    result = await server.result(SPEECH, **fields)
    names = ("content-type", "x-transcript", "x-translation", "x-voice")
    assert {n: result.headers[n] for n in names} == {n: own.headers[n] for n in names}
    length_s = decode(own.content, max_duration_s=60).duration_s
    assert decode(result.content, max_duration_s=60).duration_s == pytest.approx(length_s, abs=0.1)


async def test_a_job_is_shown_as_it_is(server: JobServer) -> None:
    id = await server.create(SPEECH, kind="transcription")
    job = await server.over(id)
    assert job == {
        "id": id,
        "object": "job",
        "kind": "transcription",
        "status": "done",
        "progress": {"stage": "done", "done_s": 2.0, "total_s": 2.0},
        "created_at": job["created_at"],
        "expires_at": job["expires_at"],
        "error": None,
        "filename": "a.wav",
    }
    assert job["expires_at"] - job["created_at"] == pytest.approx(7 * 86_400, abs=60)


async def test_jobs_are_listed_the_newest_first(server: JobServer) -> None:
    ids = [await server.create(SPEECH, target_language="pt") for _ in range(3)]
    listed = (await server.http.get(JOBS)).json()
    assert (listed["object"], [job["id"] for job in listed["data"]]) == ("list", ids[::-1])


async def test_fields_may_stand_behind_the_file(server: JobServer) -> None:
    files: list[tuple[str, Any]] = [
        ("file", ("a.wav", SPEECH)),
        ("kind", (None, "transcription")),
        ("response_format", (None, "text")),
    ]
    answer = await server.http.post(JOBS, files=files)
    assert (answer.status_code, answer.json()["kind"]) == (202, "transcription")


TO_PT = {"target_language": "pt"}
ONE = ("file", ("a.wav", SPEECH))
REFUSED: list[tuple[str, dict[str, Any], list[Any], int, str]] = [
    ("no language", {}, [ONE], 400, "target_language"),
    ("another field", {"target_language": "pt", "colour": "red"}, [ONE], 400, "colour"),
    ("another kind", {"kind": "song"}, [ONE], 400, "kind"),
    ("a stream", {"target_language": "pt", "stream": "true"}, [ONE], 400, "stream"),
    ("a stream of text", {"kind": "transcription", "stream": "true"}, [ONE], 400, "stream"),
    ("another format", {**TO_PT, "response_format": "gif"}, [ONE], 400, "response_format"),
    ("no such pair", {**TO_PT, "source_language": "fr"}, [ONE], 422, "target_language"),
    ("no such voice", {"target_language": "pt", "voice": "nobody"}, [ONE], 404, "voice"),
    ("no such model", {"kind": "transcription", "model": "nothing"}, [ONE], 404, "model"),
    ("no such language", {"kind": "transcription", "language": "xx"}, [ONE], 400, "language"),
    ("a long prompt", {"kind": "transcription", "prompt": "a" * 20_000}, [ONE], 413, "prompt"),
    ("two files", {"target_language": "pt"}, [ONE, ONE], 400, "file"),
    ("another file", {"target_language": "pt"}, [("sound", ("a.wav", SPEECH))], 400, "file"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "files", "status", "param"),
    [row[1:] for row in REFUSED],
    ids=[r[0] for r in REFUSED],
)
async def test_what_cannot_be_done_is_refused_and_not_kept(
    server: JobServer,
    tmp_path: Path,
    fields: dict[str, Any],
    files: list[Any],
    status: int,
    param: str,
) -> None:
    answer = await server.http.post(JOBS, data=fields, files=files)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), answer.text
    assert kept(tmp_path) == []


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("id", ["job_" + "0" * 24, "..", "%2e%2e%2fversion", "x"])
async def test_a_job_that_is_not_there(server: JobServer, method: str, id: str) -> None:
    answer = await server.http.request(method, f"{JOBS}/{id}")
    assert answer.status_code in (404, 405)
    assert answer.json()["error"]["code"] in ("not_found", "invalid_value")


async def test_no_result_before_its_end(tmp_path: Path) -> None:
    async with job_server(job_config(tmp_path), runs=False) as server:
        id = await server.create(SPEECH, target_language="pt")
        answer = await server.http.get(f"{JOBS}/{id}/result")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "job_not_done")


async def test_a_server_without_a_folder_keeps_no_jobs() -> None:
    config = fake_config()
    async with connect(asgi_app(await fake_fleet(config), config, Admission(8))) as http:
        answers = [
            await http.post(JOBS, files=[ONE]),
            await http.get(JOBS),
            await http.get(f"{JOBS}/a"),
            await http.delete(f"{JOBS}/a"),
        ]
    codes = {(answer.status_code, answer.json()["error"]["code"]) for answer in answers}
    assert codes == {(422, "nothing_kept")}


async def test_no_more_jobs_wait_than_may(tmp_path: Path) -> None:
    async with job_server(job_config(tmp_path, max_waiting=2), runs=False) as server:
        for _ in range(2):
            await server.create(SPEECH, target_language="pt")
        answer = await server.http.post(JOBS, data={"target_language": "pt"}, files=[ONE])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert answer.json()["error"]["code"] == "too_many_jobs"


def two_keys(audio_s_per_day: float | None = None) -> tuple[AppConfig, list[dict[str, str]]]:
    """A configuration with the keys anna and bert, and the headers that send them."""
    made = {name: new_key() for name in ("anna", "bert")}
    quotas = Quotas(audio_s_per_day_per_ingress=audio_s_per_day)
    keys = [
        Key(name=name, hash=digest, scopes=("infer",), quotas=quotas)
        for name, (_, digest) in made.items()
    ]
    config = fake_config().model_copy(update={"security": Security(keys=tuple(keys))})
    return config, [{"authorization": f"Bearer {key}"} for key, _ in made.values()]


async def test_jobs_are_those_of_their_key(tmp_path: Path) -> None:
    config, (anna, bert) = two_keys()
    async with job_server(job_config(tmp_path, config)) as server:
        server.http.headers.update(anna)
        id = await server.create(SPEECH, target_language="pt")
        assert (await server.over(id))["status"] == "done"
        server.http.headers.update(bert)
        assert (await server.http.get(f"{JOBS}/{id}")).status_code == 404
        assert (await server.http.get(f"{JOBS}/{id}/result")).status_code == 404
        assert (await server.http.delete(f"{JOBS}/{id}")).status_code == 404
        assert (await server.http.get(JOBS)).json()["data"] == []


async def test_a_job_counts_for_its_key(tmp_path: Path) -> None:
    config, (anna, bert) = two_keys(audio_s_per_day=1.0)
    async with job_server(job_config(tmp_path, config)) as server:
        server.http.headers.update(anna)
        await server.create(SPEECH, target_language="pt")
        async with asyncio.timeout(30):
            while (used := await server.http.get(JOBS)).status_code == 200:
                await asyncio.sleep(0.01)
        server.http.headers.update(bert)
        others = await server.http.get(JOBS)
    assert (used.status_code, used.json()["error"]["code"]) == (429, "insufficient_quota")
    assert others.status_code == 200


@pytest.mark.parametrize(
    "scopes", [None, ("metrics",)], ids=["a key that is gone", "a key that may not"]
)
async def test_a_job_is_not_gone_on_with_for(
    tmp_path: Path, scopes: tuple[Scope, ...] | None
) -> None:
    config, (anna, _) = two_keys()
    async with job_server(job_config(tmp_path, config), runs=False) as before:
        before.http.headers.update(anna)
        id = await before.create(SPEECH, target_language="pt")
    first, other = config.security.keys
    left = (other,) if scopes is None else (first.model_copy(update={"scopes": scopes}), other)
    config = config.model_copy(update={"security": Security(keys=left)})
    async with job_server(job_config(tmp_path, config)) as after, asyncio.timeout(30):
        shelf = after.runner.jobs.of("anna")
        while (job := await asyncio.to_thread(shelf.get, id)).status == "queued":
            await asyncio.sleep(0.01)
    assert (job.status, job.error and job.error["code"]) == ("failed", "invalid_api_key")
    assert "source" not in names_below(tmp_path)


def kept(folder: Path) -> list[str]:
    """Return what is kept of jobs."""
    return [name for name in names_below(folder) if name.startswith(("job_", ".new-"))]


def names_below(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*")]
