"""``stream=true`` of ``POST /v1/audio/transcriptions``, on fakes: text as each window is heard."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
import pytest

from deployments.batching.batch import BatchReply
from deployments.config.policy import BatchPolicy
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from models.errors import Unavailable
from models.types import AsrItem
from tests.support.asgi import HEARD, SILENCE, SPEECH
from tests.support.bad_input import TRANSCRIBE, heard, wav
from tests.support.caller import Caller, form_caller
from tests.support.clock import settle
from tests.support.events import events_of
from tests.support.local import LocalRemote, fake_config, fake_fleet, fake_remotes

SECOND = 16_000
LOUD, LOUDER = 300, 700  # of the first window, and of the second


def two_windows() -> bytes:
    samples = np.zeros(42 * SECOND, np.int16)
    samples[:SECOND], samples[40 * SECOND :] = LOUD, LOUDER
    return wav(samples)


class GatedAsr(LocalRemote):
    """Hears the second window once it may, or fails it."""

    def __init__(self) -> None:
        super().__init__("asr", fake_config().models["asr"])
        self.gate = asyncio.Event()
        self.fails = False
        self.waiting = asyncio.Event()

    async def infer(self, items: Sequence[AsrItem]) -> BatchReply[Any]:
        if any(int(np.max(item.samples)) > 2 * LOUD for item in items):
            self.waiting.set()
            await self.gate.wait()
            if self.fails:
                raise Unavailable("no replica answers")
        return await super().infer(items)


class Server:
    """The application on fakes, with a gated recogniser."""

    def __init__(self, app: Any, asr: GatedAsr, fleet: Any) -> None:
        self.app, self.asr, self.fleet = app, asr, fleet

    def ask(self, **fields: str) -> Caller:
        fields = {"stream": "true", "language": "en", **fields}
        return form_caller(self.app, TRANSCRIBE, **heard(two_windows(), **fields))


@pytest.fixture
async def server() -> Server:
    config = fake_config(max_audio_s=120)
    remotes = fake_remotes(config)
    remotes["asr"] = asr = GatedAsr()
    one_by_one = BatchPolicy(max_batch_size=1)
    fleet = await fake_fleet(config, remotes, asr=one_by_one)
    return Server(asgi_app(fleet, config, Admission(8)), asr, fleet)


async def streamed(http: httpx.AsyncClient, data: bytes = SPEECH, **fields: Any) -> Any:
    answer = await http.post(TRANSCRIBE, **heard(data, stream="true", **fields))
    assert answer.headers["content-type"].startswith("text/event-stream")
    return events_of(answer.text)


async def test_a_window_s_text_comes_before_the_next_is_heard(server: Server) -> None:
    caller = server.ask()
    status, headers = await caller.start()
    first = await caller.event()
    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert (first["type"], "300" in first["delta"]) == ("transcript.text.delta", True)
    assert not server.asr.gate.is_set()
    server.asr.gate.set()
    assert "700" in (await caller.event())["delta"]
    assert (await caller.event())["type"] == "transcript.text.done"
    assert await caller.rest() == b"data: [DONE]\n\n"


@pytest.mark.parametrize("response_format", ["json", "text"])
async def test_the_deltas_put_together_are_the_text(
    http: httpx.AsyncClient, response_format: str
) -> None:
    fields = {"language": "en", "response_format": response_format}
    *deltas, done = await streamed(http, two_windows(), **fields)
    whole = await http.post(TRANSCRIBE, **heard(two_windows(), language="en"))
    assert len(deltas) == 2
    assert "".join(delta["delta"] for delta in deltas) == done["text"] == whole.json()["text"]


async def test_the_last_event_counts_the_seconds_and_names_the_languages(
    http: httpx.AsyncClient,
) -> None:
    *_, done = await streamed(http)
    assert done["usage"] == {"type": "duration", "seconds": 2.0}
    assert done["languages"] == [{"code": "en"}]
    assert done["text"] == HEARD


async def test_silence_has_an_end_alone(http: httpx.AsyncClient) -> None:
    (done,) = await streamed(http, SILENCE)
    assert (done["type"], done["text"], done["languages"]) == ("transcript.text.done", "", [])


async def test_an_error_on_the_way_is_the_last_event(server: Server) -> None:
    caller = server.ask()
    await caller.start()
    await caller.event()
    server.asr.fails = True
    server.asr.gate.set()
    error = (await caller.event())["error"]
    assert (error["code"], error["type"]) == ("unavailable", "server_error")
    assert await caller.rest() == b""


async def test_an_error_before_the_first_text_has_its_status(server: Server) -> None:
    server.asr.fails = True
    server.asr.gate.set()
    samples = np.full(SECOND, LOUDER, np.int16)
    caller = form_caller(server.app, TRANSCRIBE, **heard(wav(samples), stream="true"))
    status, _ = await caller.start()
    assert status == 503


async def test_a_caller_who_leaves_ends_the_work(server: Server) -> None:
    caller = server.ask()
    await caller.start()
    await caller.event()
    caller.leave()
    await asyncio.wait([caller.task])
    await settle()
    assert server.fleet.of_kind("asr")[0].batcher.pending == 0
