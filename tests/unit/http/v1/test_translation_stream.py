"""``stream=true`` of ``POST /v1/speech/translations``, on fakes: sentences as they are spoken."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from deployments.batching.batch import BatchReply
from deployments.config.policy import BatchPolicy
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from models.errors import Unavailable
from models.types import TtsItem
from tests.support.asgi import HEARD, SILENCE, SPEECH, TRANSLATED, translate
from tests.support.bad_input import TRANSLATE, form
from tests.support.caller import Caller, form_caller
from tests.support.clock import settle
from tests.support.events import events_of
from tests.support.local import LocalRemote, fake_config, fake_fleet, fake_remotes

ONE, TWO = "pt: There are 16000 samples.", "pt: The loudest is 700."
SENTENCE, WHOLE = "speech.translation.sentence", "speech.translation.done"


class GatedVoice(LocalRemote):
    """Speaks the second sentence once it may, or fails it."""

    def __init__(self) -> None:
        super().__init__("tts", fake_config().models["tts"])
        self.gates = {TWO: asyncio.Event()}
        self.fails = False

    async def infer(self, items: Sequence[TtsItem]) -> BatchReply[Any]:
        for item in items:
            if item.text in self.gates:
                await self.gates[item.text].wait()
                if self.fails:
                    raise Unavailable("no replica answers")
        return await super().infer(items)


class Server:
    """The application on fakes, with a gated voice."""

    def __init__(self, app: Any, voice: GatedVoice, fleet: Any) -> None:
        self.app, self.voice, self.fleet = app, voice, fleet

    def ask(self, **fields: str) -> Caller:
        return form_caller(self.app, TRANSLATE, **form(SPEECH, stream="true", **fields))


@pytest.fixture
async def server() -> Server:
    config = fake_config()
    remotes = fake_remotes(config)
    remotes["tts"] = voice = GatedVoice()
    fleet = await fake_fleet(config, remotes, tts=BatchPolicy(max_batch_size=1))
    return Server(asgi_app(fleet, config, Admission(8)), voice, fleet)


async def streamed(http: httpx.AsyncClient, data: bytes = SPEECH, **fields: str) -> Any:
    answer = await translate(http, data, stream="true", **fields)
    assert answer.headers["content-type"].startswith("text/event-stream")
    return events_of(answer.text)


def samples_of(audio: dict[str, Any]) -> np.ndarray[Any, Any]:
    data = base64.b64decode(audio["data"])
    if audio["format"] == "pcm":
        return np.frombuffer(data, "<i2")
    samples, rate_hz = soundfile.read(io.BytesIO(data), dtype="int16")
    assert rate_hz == audio["sample_rate_hz"]
    return np.asarray(samples)


async def test_a_sentence_comes_before_the_next_is_spoken(server: Server) -> None:
    caller = server.ask()
    status, headers = await caller.start()
    first = await caller.event()
    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert (first["type"], first["translation"]) == (SENTENCE, ONE)
    assert not server.voice.gates[TWO].is_set()
    server.voice.gates[TWO].set()
    assert (await caller.event())["translation"] == TWO
    assert (await caller.event())["type"] == WHOLE
    assert await caller.rest() == b"data: [DONE]\n\n"


async def test_sentences_come_in_order_of_time(server: Server) -> None:
    server.voice.gates = {ONE: asyncio.Event()}
    caller = server.ask()
    await settle()
    assert caller.unread == 0
    server.voice.gates[ONE].set()
    await caller.start()
    first, second = await caller.event(), await caller.event()
    assert (first["id"], second["id"]) == (0, 1)
    assert first["end_s"] <= second["start_s"]


async def test_the_audio_put_together_is_the_whole_answer_s(http: httpx.AsyncClient) -> None:
    *sentences, _ = await streamed(http)
    whole = (await translate(http)).json()
    parts = [samples_of(sentence["audio"]) for sentence in sentences]
    np.testing.assert_array_equal(np.concatenate(parts), samples_of(whole["audio"]))


async def test_sentences_are_those_of_the_whole_answer(http: httpx.AsyncClient) -> None:
    *sentences, _ = await streamed(http)
    whole = (await translate(http)).json()
    others = ("type", "audio")
    told = [{k: v for k, v in each.items() if k not in others} for each in sentences]
    assert told == whole["segments"]


async def test_the_last_event_is_the_whole(http: httpx.AsyncClient) -> None:
    *_, done = await streamed(http)
    assert done["transcript"] == {"text": HEARD, "language": "en", "language_probability": 0.9}
    assert done["translation"]["text"] == TRANSLATED
    assert done["usage"] == {"type": "duration", "seconds": 2.0}
    assert {stage["stage"] for stage in done["timings"]["stages"]} >= {"vad", "asr", "nmt", "tts"}


async def test_bare_samples_have_their_rate_beside_them(http: httpx.AsyncClient) -> None:
    first, *_ = await streamed(http, audio_format="pcm")
    assert first["audio"]["sample_rate_hz"] == 24_000
    assert len(samples_of(first["audio"])) == round(len(ONE) * 800 * 1.5)


async def test_texts_alone_have_no_audio(http: httpx.AsyncClient) -> None:
    *sentences, _ = await streamed(http, audio_format="none")
    assert [sentence["audio"] for sentence in sentences] == [None, None]


async def test_silence_has_an_end_alone(http: httpx.AsyncClient) -> None:
    (done,) = await streamed(http, SILENCE)
    assert (done["type"], done["transcript"]["text"], done["voice"]) == (WHOLE, "", None)


async def test_an_error_on_the_way_is_the_last_event(server: Server) -> None:
    caller = server.ask()
    await caller.start()
    await caller.event()
    server.voice.fails = True
    server.voice.gates[TWO].set()
    assert (await caller.event())["error"]["code"] == "unavailable"
    assert await caller.rest() == b""
    assert server.fleet.graph.failures == {"BACKEND": 1}


async def test_a_caller_who_leaves_ends_the_work(server: Server) -> None:
    caller = server.ask()
    await caller.start()
    await caller.event()
    caller.leave()
    await asyncio.wait([caller.task])
    await settle()
    assert server.fleet.of_kind("tts")[0].batcher.pending == 0
