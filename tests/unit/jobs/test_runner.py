"""Jobs are run in parts: gone on with, by one process at a time, dropped, and told why not."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deployments.jobs import cutting
from deployments.jobs.cutting import PIECE_SAMPLES
from deployments.jobs.run import MOST_BEGUN, WAITS_S
from deployments.library.jobs import SOURCE
from models.errors import QueueFull
from tests.support.asgi import SPEECH
from tests.support.bad_input import form, hours_of_silence
from tests.support.jobs import JOBS, JobServer, job_config, job_server, minutes
from tests.support.local import fake_remotes

PART_SAMPLES = 4 * PIECE_SAMPLES  # 66 s; how long a part really is, the tests of cutting know
LONG_S = 100.0  # two parts
LONG = minutes(LONG_S / 60)
TO_PT = {"target_language": "pt"}
TO_PT_AS_TEXT = {**TO_PT, "audio_format": "none"}


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "MOST_SAMPLES", PART_SAMPLES)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[JobServer]:
    async with job_server(job_config(tmp_path)) as made:
        yield made


def held(server: JobServer, kind: str, count: int) -> tuple[asyncio.Event, asyncio.Event]:
    """Let a model run so many batches; return what says that one more came, and what frees it."""
    remote = server.remotes[kind]
    infer, came, free = remote.infer, asyncio.Event(), asyncio.Event()
    left = count

    async def counted(items: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            came.set()
            await free.wait()
        return await infer(items)

    remote.infer = counted  # type: ignore[method-assign]
    return came, free


def held_after_a_part(server: JobServer) -> asyncio.Event:
    """Translate nothing more once a part of a job is done; return what says so."""
    remote, came = server.remotes["nmt"], asyncio.Event()
    infer, jobs = remote.infer, server.runner.jobs.of("")

    async def before_that(items: Any) -> Any:
        if any(job.starts for job in jobs.all()):
            came.set()
            await asyncio.Event().wait()
        return await infer(items)

    remote.infer = before_that  # type: ignore[method-assign]
    return came


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


async def test_a_long_recording_is_told_as_one(server: JobServer) -> None:
    fields = {"response_format": "verbose_json", "timestamp_granularities[]": "word"}
    result = (await server.result(LONG, kind="transcription", **fields)).json()
    starts = [segment["start"] for segment in result["segments"]]
    assert (result["duration"], starts == sorted(starts)) == (LONG_S, True)
    assert [segment["id"] for segment in result["segments"]] == list(range(len(starts)))
    assert starts[-1] > PART_SAMPLES / 16_000
    assert max(word["end"] for word in result["words"]) < LONG_S
    assert result["usage"]["seconds"] == LONG_S


async def test_subtitles_are_numbered_through(server: JobServer) -> None:
    result = await server.result(LONG, **TO_PT, response_format="srt")
    numbers = [int(block.split("\n")[0]) for block in result.text.strip().split("\n\n")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert "00:01:2" in result.text


async def test_the_speech_of_all_parts_is_one_file(server: JobServer) -> None:
    as_json = (await server.result(LONG, **TO_PT)).json()
    as_wav = await server.result(LONG, **TO_PT, response_format="wav")
    assert as_wav.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(as_wav.content)) as file:
        samples = file.getnframes()
    assert samples / 16_000 == pytest.approx(as_json["audio"]["duration_s"], abs=0.001)
    assert as_wav.content[-2 * samples - 4 : -2 * samples] == (samples * 2).to_bytes(4, "little")


async def test_speakers_are_told_apart_over_all_parts(server: JobServer) -> None:
    fields = {"kind": "transcription", "response_format": "diarized_json"}
    result = (await server.result(LONG, **fields)).json()
    assert {segment["speaker"] for segment in result["segments"]} == {"A"}
    assert result["segments"][-1]["end"] > PART_SAMPLES / 16_000


async def test_how_far_it_is_is_told(server: JobServer) -> None:
    came, free = held(server, "nmt", 0)
    id = await server.create(LONG, **TO_PT_AS_TEXT)
    await came.wait()
    job = await server.show(id)
    assert (job["status"], job["progress"]["stage"]) == ("running", "translating")
    assert (job["progress"]["done_s"], job["progress"]["total_s"]) == (0.0, LONG_S)
    free.set()
    job = await server.over(id)
    assert job["progress"] == {"stage": "done", "done_s": LONG_S, "total_s": LONG_S}


async def test_a_process_that_ends_leaves_its_job_to_the_next(tmp_path: Path) -> None:
    config = job_config(tmp_path)
    async with job_server(config) as first:
        came = held_after_a_part(first)
        id = await first.create(LONG, **TO_PT_AS_TEXT)
        await came.wait()
        done_s = (await first.show(id))["progress"]["done_s"]
    async with job_server(config) as second:
        job = await second.over(id)
        resumed = await second.http.get(f"{JOBS}/{id}/result")
        heard = sum(second.remotes["nmt"].batches)
        whole = await second.result(LONG, **TO_PT_AS_TEXT)
        of_all = sum(second.remotes["nmt"].batches) - heard
    assert (job["status"], 0 < done_s < LONG_S) == ("done", True)
    assert resumed.json()["segments"] == whole.json()["segments"]
    assert heard < of_all


async def test_one_process_runs_a_job(tmp_path: Path) -> None:
    config = job_config(tmp_path)
    async with job_server(config) as one, job_server(config) as other:
        ids = [await one.create(SPEECH, **TO_PT_AS_TEXT) for _ in range(6)]
        jobs = [await one.over(id) for id in ids]
        heard = sum(one.remotes["nmt"].batches) + sum(other.remotes["nmt"].batches)
    assert {job["status"] for job in jobs} == {"done"}
    assert heard == 12  # two sentences each


async def test_so_many_run_at_once(tmp_path: Path) -> None:
    async with job_server(job_config(tmp_path, at_once=2)) as server:
        came, free = held(server, "nmt", 0)
        ids = [await server.create(SPEECH, **TO_PT_AS_TEXT) for _ in range(3)]
        await came.wait()
        async with asyncio.timeout(10):
            while True:
                states = [(await server.show(id))["status"] for id in ids]
                if states.count("running") == 2:
                    break
        assert sorted(states) == ["queued", "running", "running"]
        free.set()
        assert {(await server.over(id))["status"] for id in ids} == {"done"}


async def test_a_deleted_job_stops_and_leaves_nothing(server: JobServer, tmp_path: Path) -> None:
    came, free = held(server, "nmt", 0)
    id = await server.create(LONG, **TO_PT_AS_TEXT)
    await came.wait()
    answer = await server.http.delete(f"{JOBS}/{id}")
    assert answer.json() == {"id": id, "object": "job", "deleted": True}
    assert (await server.http.get(f"{JOBS}/{id}")).status_code == 404
    free.set()
    other = await server.create(SPEECH, **TO_PT_AS_TEXT)
    assert (await server.over(other))["status"] == "done"
    assert id not in names_in(tmp_path)


async def test_a_job_deleted_elsewhere_stops_here(tmp_path: Path) -> None:
    config = job_config(tmp_path, at_once=1)
    async with job_server(config) as one, job_server(config, runs=False) as other:
        came, _ = held(one, "nmt", 0)
        id = await one.create(LONG, **TO_PT_AS_TEXT)
        await came.wait()
        assert (await other.http.delete(f"{JOBS}/{id}")).status_code == 200
        next_one = await other.create(b"no sound at all", **TO_PT_AS_TEXT)
        assert (await one.over(next_one))["error"]["code"] == "not_audio"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"no sound at all" * 9, "not_audio", id="no audio"),
        pytest.param(b"", "invalid_value", id="nothing"),
        pytest.param(hours_of_silence(120), "too_large", id="too long"),
    ],
)
async def test_a_recording_that_cannot_be_worked_on_says_why(
    tmp_path: Path, data: bytes, code: str
) -> None:
    async with job_server(job_config(tmp_path, max_audio_s=60)) as server:
        id = await server.create(data, **TO_PT_AS_TEXT)
        job = await server.over(id)
        result = await server.http.get(f"{JOBS}/{id}/result")
    assert (job["status"], job["error"]["code"], job["error"]["param"]) == ("failed", code, "file")
    assert (result.status_code, result.json()["error"]["code"]) == (409, "job_not_done")
    assert job["error"]["message"] in result.json()["error"]["message"]
    assert SOURCE not in names_in(tmp_path)


async def test_a_fault_says_where_to_look_and_nothing_else(server: JobServer) -> None:
    async def broken(items: Any) -> Any:
        raise RuntimeError("a secret")

    server.remotes["asr"].infer = broken  # type: ignore[method-assign]
    id = await server.create(SPEECH, **TO_PT_AS_TEXT)
    job = await server.over(id)
    assert job["status"] == "failed"
    assert "secret" not in str(job)
    assert job["error"]["code"] in ("internal_error", "unavailable")


async def test_what_passes_is_tried_again(server: JobServer) -> None:
    infer, left = server.remotes["nmt"].infer, len(WAITS_S)

    async def full_at_first(items: Any) -> Any:
        nonlocal left
        left -= 1
        if left >= 0:
            raise QueueFull("full")
        return await infer(items)

    server.remotes["nmt"].infer = full_at_first  # type: ignore[method-assign]
    id = await server.create(SPEECH, **TO_PT_AS_TEXT)
    assert (await server.over(id))["status"] == "done"


async def test_what_ends_the_process_again_and_again_is_given_up(tmp_path: Path) -> None:
    config = job_config(tmp_path)
    async with job_server(config, runs=False) as server:
        id = await server.create(SPEECH, **TO_PT_AS_TEXT)
        shelf = server.runner.jobs.of("")
        shelf.change(shelf.get(id), status="running", begun=MOST_BEGUN)
    async with job_server(config, remotes=fake_remotes(config)) as server:
        job = await server.over(id)
    assert (job["status"], str(MOST_BEGUN) in job["error"]["message"]) == ("failed", True)


async def test_what_no_model_translates_is_refused_at_the_end(server: JobServer) -> None:
    fields = {"target_language": "en", "audio_format": "none"}
    own = await server.http.post("/v1/speech/translations", **form(SPEECH, **fields))
    job = await server.over(await server.create(SPEECH, **fields))
    assert (job["status"], own.status_code) == ("failed", 422)
    assert job["error"]["code"] == own.json()["error"]["code"] == "unsupported_language_pair"
