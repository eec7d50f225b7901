"""All endpoints, on fakes: who gets which answer, and who is refused."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import numpy as np
import pytest

from deployments.catalogue.placements import Description
from deployments.catalogue.selection import Fleet
from deployments.config.ingress import IngressConfig
from deployments.config.policy import BatchPolicy
from deployments.config.schema import AppConfig
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.telemetry.model_report import READY
from models.audio import decode as audio_io
from models.types import Kind
from tests.support import bad_input
from tests.support.asgi import SPEECH, connect, translate
from tests.support.bad_input import EMBED, TEXT, TEXT_OK, TRANSCRIBE, TRANSLATE, form, wav
from tests.support.clock import settle
from tests.support.local import LocalRemote, fake_config, fake_fleet, fake_remotes, until_queued

# ---- who gets what ---------------------------------------------------------------------


async def test_callers_at_once_share_batches_and_keep_their_answers(
    http: httpx.AsyncClient,
) -> None:
    async def one(number: int) -> bool:
        level = 1000 + number
        if number % 2:
            text = f"Number {number}."
            answer = (await http.post(TEXT, json={**TEXT_OK, "text": text})).json()
            return bool(answer["translations"][0]["text"] == f"pt: {text}")
        answer = (await translate(http, wav(np.full(3200, level, np.int16)))).json()
        return f"The loudest is {level}." in answer["transcript"]["text"]

    assert all(await asyncio.gather(*map(one, range(32))))
    rows = {row["id"]: row for row in (await http.get("/v1/models")).json()["data"]}
    assert rows["nmt"]["statistics"]["mean_batch_size"] > 1


async def test_every_answer_has_a_request_id(http: httpx.AsyncClient) -> None:
    for response in (await translate(http), await http.get("/nothing")):
        assert response.headers["x-request-id"]


# ---- refusals --------------------------------------------------------------------------

BAD = bad_input.rows()


@pytest.mark.parametrize("bad", BAD, ids=[bad.id for bad in BAD])
async def test_bad_input_names_its_field(http: httpx.AsyncClient, bad: bad_input.Bad) -> None:
    response = await http.request(bad.method, bad.path, **bad.request)
    error = json.loads(response.content)["error"]
    assert (response.status_code, error["param"]) == (bad.status, bad.param), error
    assert bad.says.lower() in error["message"].lower()
    assert (await http.post(TEXT, json=TEXT_OK)).status_code == 200  # and the server goes on


async def test_a_body_over_the_limit_is_refused_unread() -> None:
    config = fake_config(max_body_bytes=1000)
    fleet = await fake_fleet(config)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(400)

    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        announced = await translate(http)
        headers = {"content-type": "audio/pcm; rate=16000"}
        streamed = await http.post(EMBED, content=endless(), headers=headers)
    assert [announced.status_code, streamed.status_code] == [413, 413]


async def test_more_requests_than_the_server_takes_are_told_when_to_return() -> None:
    config = fake_config()
    fleet = await fake_fleet(config)
    admission = Admission(1)
    async with connect(asgi_app(fleet, config, admission)) as http:
        with admission:
            refused = await http.post(TEXT, json=TEXT_OK)
        served = await http.post(TEXT, json=TEXT_OK)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert served.status_code == 200


PCM = {"content-type": "audio/pcm; rate=16000"}
READY_PATHS = ("/health/ready", "/v2/health/ready", "/v2/models/asr/ready")


@pytest.mark.parametrize("path", READY_PATHS)
async def test_a_server_without_a_place_is_not_ready_until_there_is_one(path: str) -> None:
    config, admission = fake_config(), Admission(1)
    async with connect(asgi_app(await fake_fleet(config), config, admission)) as http:
        with admission:
            full = await http.get(path)
        free = await http.get(path)
    assert (full.status_code, free.status_code) == (503, 200)
    assert "are running" in full.json()["refusing"]
    assert "refusing" not in free.json()


async def test_a_server_without_room_for_bodies_is_not_ready_until_there_is_some() -> None:
    config = fake_config(max_body_bytes=1_000_000, max_bodies_bytes=1_500_000)
    held, go_on = asyncio.Event(), asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield bytes(900_000)
        held.set()
        await go_on.wait()

    async with connect(asgi_app(await fake_fleet(config), config, Admission(8))) as http:
        sending = asyncio.create_task(http.post(TEXT, content=stalled()))
        await held.wait()
        full = await http.get("/health/ready")
        go_on.set()
        await sending
        free = await http.get("/health/ready")
    assert (full.status_code, free.status_code) == (503, 200)
    assert "bodies" in full.json()["refusing"]


async def test_draining_refuses_new_requests_and_waits_for_those_that_run() -> None:
    config = fake_config()
    fleet = await fake_fleet(config)
    admission = Admission(8)
    async with connect(asgi_app(fleet, config, admission)) as http:
        with admission:
            drained = asyncio.create_task(admission.drain(10))
            await settle()
            refused = await http.post(TEXT, json=TEXT_OK)
            ready = await http.get("/health/ready")
            assert not drained.done()
        assert await drained
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
    assert ready.status_code == 503


@pytest.mark.parametrize(
    ("kind", "path"),
    [("speaker", EMBED), ("asr", TRANSCRIBE)],
    ids=["embeddings", "transcriptions"],
)
@pytest.mark.parametrize("cached", [False, True], ids=["no cache", "a cache might know"])
async def test_a_full_queue_refuses_a_file_unread(kind: Kind, path: str, cached: bool) -> None:
    config, answering = fake_config(), asyncio.Event()
    remotes = fake_remotes(config)
    remotes[kind].hold_all(answering)
    policy = BatchPolicy(max_queue_size=1, max_batch_size=1, response_cache=cached)
    fleet = await fake_fleet(config, remotes, **{kind: policy})
    batcher = fleet.pick(kind).batcher
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        speech = {"file": SPEECH}
        others = [asyncio.create_task(http.post(path, files=speech)) for _ in range(3)]
        await until_queued(batcher)
        refused = await http.post(path, files={"file": b"no audio"})
        answering.set()
        served = await asyncio.gather(*others)
    code = "not_audio" if cached else "queue_full"
    assert refused.json()["error"]["code"] == code
    assert [answer.status_code for answer in served] == [200] * 3
    assert batcher.statistics.failures == ({"OTHER": 1} if cached else {"REJECTED": 1})


UNREAD: dict[str, tuple[Kind, str, dict[str, Any]]] = {
    "an embedding of a file": ("vad", EMBED, {"files": {"file": b"no audio"}}),
    "an embedding of raw samples": ("speaker", EMBED, {"content": b"even", "headers": PCM}),
    "a transcript": ("vad", TRANSCRIBE, {"files": {"file": b"no audio"}}),
    "a translation": ("nmt", TRANSLATE, form(b"no audio")),
    "a voice": ("tts", TRANSLATE, form(b"no audio")),
    "a translation and an embedding": (
        "speaker",
        TRANSLATE,
        form(b"no audio", **{"include[]": "embedding"}),
    ),
}


@pytest.mark.parametrize(("kind", "path", "asked"), UNREAD.values(), ids=UNREAD)
async def test_what_needs_an_unloaded_model_is_refused_unread(
    kind: Kind, path: str, asked: dict[str, Any]
) -> None:
    config = fake_config()
    fleet = await fake_fleet(config)
    await fleet.directory.unload(kind)
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        refused = await http.post(path, **asked)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")


@pytest.mark.parametrize(
    ("begins", "time_ms", "status", "code"),
    [(False, "50", 503, "queue_deadline_passed"), (True, "2000", 504, "deadline_passed")],
    ids=["before a thread is free", "while it is decoded"],
)
async def test_a_deadline_holds_where_audio_is_decoded(
    begins: bool, time_ms: str, status: int, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end, began = threading.Event(), []
    one_thread = IngressConfig(codec_threads=1)
    config = fake_config().model_copy(update={"ingress": one_thread})
    real = audio_io.decode_steps

    def slow(data: bytes, **options: Any) -> Any:
        began.append(len(data))
        may_end.wait(60)
        return (yield from real(data, **options))

    monkeypatch.setattr(audio_io, "decode_steps", slow)
    async with connect(asgi_app(await fake_fleet(config), config, Admission(64))) as http:
        first = None
        if not begins:
            first = asyncio.create_task(http.post(TRANSCRIBE, files={"file": SPEECH}))
            while not began:
                await asyncio.sleep(0.01)
        timeout = {"x-timeout-ms": time_ms}
        late = await http.post(TRANSCRIBE, files={"file": SPEECH}, headers=timeout)
        may_end.set()
        if first is not None:
            assert (await first).status_code == 200
        after = await http.post(TRANSCRIBE, files={"file": SPEECH})
    assert (late.status_code, late.json()["error"]["code"]) == (status, code)
    assert (after.status_code, len(began)) == (200, 2)


async def test_the_callers_deadline_is_kept(http: httpx.AsyncClient) -> None:
    headers = {"x-timeout-ms": "0.001"}
    response = await http.post(TEXT, json=TEXT_OK, headers=headers)
    assert response.status_code in (503, 504)


async def loading_fleet(config: AppConfig, *loading: str) -> Fleet:
    """A fleet of fakes of which some are still loading."""
    remotes = fake_remotes(config)
    for name in loading:
        remotes[name].is_loading = True
    fleet = Fleet(config, remotes)
    fleet.start()
    async with asyncio.timeout(10):
        while list(fleet.readiness().values()).count(READY) < len(remotes) - len(loading):
            await asyncio.sleep(0)
    return fleet


async def test_a_server_that_still_loads_is_not_ready() -> None:
    config = fake_config()
    fleet = await loading_fleet(config, "asr")
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        ready = await http.get("/health/ready")
        refused = await translate(http)
        live = await http.get("/health/live")
    assert (ready.status_code, ready.json()["models"]["asr"]) == (503, "loading")
    assert (refused.status_code, live.status_code) == (503, 200)


async def test_a_language_of_a_model_that_still_loads_is_not_called_unknown() -> None:
    config = fake_config()
    fleet = await loading_fleet(config, "nmt", "tts")
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        refused = await translate(http)
    assert refused.json()["error"]["code"] == "not_ready"


async def test_a_priority_that_a_model_does_not_have_is_its_default(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post(TEXT, json=TEXT_OK, headers={"x-priority": "2"})
    assert answer.status_code == 200


async def test_a_body_that_never_comes_does_not_keep_its_place() -> None:
    config = fake_config(request_timeout_s=0.01)
    fleet = await fake_fleet(config)

    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with connect(asgi_app(fleet, config, Admission(1))) as http:
        response = await http.post(TEXT, content=stalled())
    assert (response.status_code, response.json()["error"]["code"]) == (504, "deadline_passed")


async def test_a_model_that_cannot_be_looked_at_does_not_stop_the_watch() -> None:
    class Broken(LocalRemote):
        async def describe(self) -> Sequence[Description]:
            if not self.batches:
                self.batches.append(0)
                raise RuntimeError("of a stranger")
            return await super().describe()

    config = fake_config()
    remotes = fake_remotes(config)
    remotes["vad"] = Broken("vad", config.models["vad"])
    fleet = Fleet(config, remotes)
    fleet.start()
    async with asyncio.timeout(10):
        await fleet.warm.wait()
