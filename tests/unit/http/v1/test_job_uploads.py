"""Recordings on their way into the library: bounded, and nothing is left of one that breaks off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.config.schema import Limits
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.http.v1 import job_upload
from deployments.library.sealing import MAGIC, PIECE_BYTES, Sealing
from deployments.library.store import Store
from tests.support.asgi import connect
from tests.support.jobs import JOBS, JobServer, job_config, job_server
from tests.support.local import fake_config, fake_fleet

HEAD = (
    b'--b\r\ncontent-disposition: form-data; name="target_language"\r\n\r\npt\r\n'
    b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
)
TAIL = b"\r\n--b--\r\n"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[JobServer]:
    config = fake_config(min_receive_bytes_s=1000)
    async with job_server(job_config(tmp_path, config, max_bytes=20_000), runs=False) as made:
        yield made


class Sending:
    """A request to make a job, whose body a test sends piece by piece."""

    def __init__(self, server: JobServer, **headers: str) -> None:
        self._pieces = asyncio.Queue[dict[str, Any]]()
        self._sent: list[Any] = []
        every = {"content-type": "multipart/form-data; boundary=b", "host": "localhost", **headers}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "method": "POST",
            "path": JOBS,
            "raw_path": JOBS.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in every.items()],
        }
        self._task = asyncio.create_task(server.app(scope, self._pieces.get, self._send))

    async def _send(self, message: Any) -> None:
        self._sent.append(message)

    def add(self, body: bytes, *, more: bool = True) -> None:
        self._pieces.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def leave(self) -> None:
        self._pieces.put_nowait({"type": "http.disconnect"})

    async def answer(self) -> tuple[int, dict[str, Any]]:
        """Return the status and the error or the job; 0: there was no answer."""
        async with asyncio.timeout(20):
            await self._task
        if not self._sent:
            return 0, {}
        body = json.loads(b"".join(message.get("body", b"") for message in self._sent))
        return self._sent[0]["status"], body.get("error") or body


def kept(folder: Path) -> list[str]:
    names = [path.name for path in folder.rglob("*")]
    return [name for name in names if name.startswith(("job_", ".new-"))]


async def until_it_is_written(folder: Path) -> None:
    """Return once a recording is on its way into the folder."""
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(kept, folder):
            await asyncio.sleep(0.01)


async def test_a_recording_is_kept_as_it_came(server: JobServer) -> None:
    sending = Sending(server)
    for piece in (HEAD, b"a" * 5000, b"b" * 5000, TAIL[:3]):
        sending.add(piece)
    sending.add(TAIL[3:], more=False)
    status, job = await sending.answer()
    shelf = server.runner.jobs.of("")
    assert (status, job["filename"]) == (202, "a.wav")
    assert shelf.read(job["id"], "source") == b"a" * 5000 + b"b" * 5000
    assert json.loads(shelf.read(job["id"], "fields")) == {"target_language": "pt"}


async def test_a_large_recording_goes_to_the_disk_as_it_comes(tmp_path: Path) -> None:
    config = job_config(tmp_path, max_bytes=50 * PIECE_BYTES)
    async with job_server(config, runs=False) as server:
        sending = Sending(server)
        sending.add(HEAD)
        for number in range(20 * 16):
            sending.add(bytes([number % 256]) * (PIECE_BYTES // 16))
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(written_bytes, tmp_path):
                await asyncio.sleep(0.01)
        sending.add(TAIL, more=False)
        status, job = await sending.answer()
        with server.runner.jobs.of("").open_source(job["id"]) as file:
            assert file.seek(0, 2) == 20 * PIECE_BYTES
    assert status == 202


def written_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob(".new-*/source"))


@pytest.mark.parametrize("sent", [[HEAD], [HEAD, b"a" * 5000], [HEAD[:30]]], ids=len)
async def test_who_leaves_leaves_nothing(
    server: JobServer, tmp_path: Path, sent: Sequence[bytes]
) -> None:
    sending = Sending(server)
    for piece in sent:
        sending.add(piece)
    await until_it_is_written(tmp_path)
    sending.leave()
    assert await sending.answer() == (0, {})
    assert await asyncio.to_thread(kept, tmp_path) == []


async def test_who_is_cut_off_leaves_nothing(server: JobServer, tmp_path: Path) -> None:
    sending = Sending(server)
    sending.add(HEAD + b"a" * 5000)
    await until_it_is_written(tmp_path)
    sending._task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending.answer()
    assert await asyncio.to_thread(kept, tmp_path) == []


async def test_a_form_that_ends_early_is_malformed(server: JobServer, tmp_path: Path) -> None:
    sending = Sending(server)
    sending.add(HEAD + b"a" * 5000, more=False)
    status, error = await sending.answer()
    assert (status, error["param"]) == (400, "body")
    assert await asyncio.to_thread(kept, tmp_path) == []


async def test_too_many_bytes_are_refused_while_they_come(
    server: JobServer, tmp_path: Path
) -> None:
    sending = Sending(server)
    sending.add(HEAD)
    for _ in range(5):
        sending.add(b"a" * 5000)
    status, error = await sending.answer()
    assert (status, error["code"], error["param"]) == (413, "too_large", "body")
    assert await asyncio.to_thread(kept, tmp_path) == []


async def test_too_many_bytes_are_refused_before_they_come(server: JobServer) -> None:
    status, error = await Sending(server, **{"content-length": "20001"}).answer()
    assert (status, error["code"]) == (413, "too_large")


async def test_more_than_an_owner_may_keep_is_refused(tmp_path: Path) -> None:
    config = job_config(tmp_path)
    library = config.library.model_copy(update={"max_bytes_per_owner": 2 << 20})
    async with job_server(config.model_copy(update={"library": library}), runs=False) as server:
        sending = Sending(server)
        sending.add(HEAD)
        for _ in range(4):
            sending.add(bytes(1 << 20))
        status, error = await sending.answer()
    assert (status, error["code"]) == (413, "storage_full")
    assert await asyncio.to_thread(kept, tmp_path) == []


@pytest.mark.parametrize("pieces", [[], [HEAD]], ids=["nothing", "a head"])
async def test_a_body_that_does_not_come_is_given_up(
    server: JobServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces: list[bytes]
) -> None:
    monkeypatch.setattr(job_upload, "RATE_WINDOW_S", 0.05)
    sending = Sending(server)
    for piece in pieces:
        sending.add(piece)
    status, error = await sending.answer()
    assert (status, error["code"]) == (408, "body_too_slow")
    assert await asyncio.to_thread(kept, tmp_path) == []


async def test_so_many_are_received_at_once(tmp_path: Path) -> None:
    async with job_server(job_config(tmp_path, max_uploads=1), runs=False) as server:
        first = Sending(server)
        first.add(HEAD)
        await until_it_is_written(tmp_path)
        refused, error = await Sending(server).answer()
        first.add(b"a" + TAIL, more=False)
        status, _ = await first.answer()
        third = Sending(server)
        third.add(HEAD + b"a" + TAIL, more=False)
        assert (refused, error["code"], status) == (503, "overloaded", 202)
        assert (await third.answer())[0] == 202


async def test_recordings_on_their_way_hold_up_nothing_else(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as threads:  # that all else has
        asyncio.get_running_loop().set_default_executor(threads)
        async with job_server(job_config(tmp_path), runs=False) as server:
            sendings = [Sending(server) for _ in range(3)]
            for sending in sendings:
                sending.add(HEAD + b"x")
            await until_it_is_written(tmp_path)
            async with asyncio.timeout(20):
                listed = await server.http.get(JOBS)
            for sending in sendings:
                sending.leave()
                await sending.answer()
    assert listed.json()["data"] == []


async def test_a_length_of_no_digits_of_ours_says_nothing(server: JobServer) -> None:
    sending = Sending(server, **{"content-length": "²"})
    sending.add(HEAD + b"audio" + TAIL, more=False)
    assert (await sending.answer())[0] == 202


async def test_a_recording_that_passes_for_a_sealed_file_is_refused(tmp_path: Path) -> None:
    config = job_config(tmp_path)
    store = Store(tmp_path, Sealing(None), config.library.max_bytes_per_owner)
    app = asgi_app(await fake_fleet(config), config, Admission(4), store=store)
    async with connect(app) as http:
        files = {"file": ("a.wav", MAGIC + b"audio")}
        answer = await http.post(JOBS, data={"target_language": "pt"}, files=files)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "not_audio")
    assert kept(tmp_path) == []


async def test_a_longer_body_than_a_request_s_is_taken(tmp_path: Path) -> None:
    config = fake_config()
    small = config.model_copy(update={"limits": Limits(max_body_bytes=1000, max_bodies_bytes=1000)})
    async with job_server(job_config(tmp_path, small), runs=False) as server:
        files = {"file": ("a.wav", bytes(5000))}
        answer = await server.http.post(JOBS, data={"target_language": "pt"}, files=files)
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("headers", "content", "param"),
    [
        pytest.param({"content-type": "application/json"}, b"{}", "body", id="json"),
        pytest.param({}, b"", "body", id="nothing"),
        pytest.param({"content-type": "multipart/form-data"}, b"x", "body", id="no boundary"),
        pytest.param(
            {"content-type": "multipart/form-data; boundary=b; charset=utf-7"},
            HEAD + TAIL,
            "content-type",
            id="a charset",
        ),
        pytest.param(
            {"content-type": "multipart/form-data; boundary=b"},
            HEAD[: HEAD.index(b"pt") + 2] + TAIL,
            "file",
            id="no file",
        ),
    ],
)
async def test_what_is_no_form_is_refused(
    server: JobServer, tmp_path: Path, headers: dict[str, str], content: bytes, param: str
) -> None:
    answer: httpx.Response = await server.http.post(JOBS, headers=headers, content=content)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert await asyncio.to_thread(kept, tmp_path) == []
