"""Live sessions on real servers: stock clients over real models, and two ingresses over fakes."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from openai import AsyncOpenAI

from deployments.security.keys import new_key
from models.audio.decode import decode, resample
from tests.support.bad_input import TEXT, TEXT_OK
from tests.support.realtime import (
    TRANSLATION,
    Talk,
    silence,
    speech,
    talking,
    text_of,
    types_of,
)
from tests.support.server import Running, config_on_a_free_port, fakes_config, running
from tests.support.speech import clip, wer

KEY, HASH = new_key()
STEM = "en-agent-newlocation"
SAID, HEARD = "session.output_transcript.delta", "session.input_transcript.delta"
CONNECTIONS = 8  # of which both ingresses have some, but once in 128 runs


def at(server: Running, path: str, **query: str) -> str:
    url = httpx.URL(f"{server.url}/{path}", params=query)
    return str(url).replace("http", "ws", 1)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two ingresses over quick fakes, with a key."""
    folder, config = tmp_path_factory.mktemp("realtime"), fakes_config()
    args = config["applications"][0]["args"]
    for name in ("nmt", "asr"):
        args["models"][name]["options"] = {"base_ms": 1.0}
    args["ingress"] = {"replicas": 2}
    args["security"] = {"keys": [{"name": "ann", "hash": HASH, "scopes": ["infer"]}]}
    with running(config_on_a_free_port(folder, config)) as server:
        yield server


def bearer(value: str = KEY) -> dict[str, Any]:
    return {"additional_headers": {"Authorization": f"Bearer {value}"}}


async def post(server: Running, path: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers) as http:
        answer = await http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def said(talk: Talk) -> None:
    await talk.append(speech(1.0))
    await talk.append(silence(2.0))
    await talk.send("session.close")


async def test_followers_of_every_ingress_hear_one_session(two: Running) -> None:
    """Connections are spread over the ingresses by the kernel: some land beside the session."""
    query = {"model": "asr", "to": "en", "text_only": "true", "name": "talk"}
    async with talking(at(two, TRANSLATION, **query), **bearer()) as talk:
        await talk.next()
        value = (await post(two, "v1/realtime/listen_tokens", {"name": "talk"}))["value"]

        async def follow() -> str:
            url = at(two, TRANSLATION, follow="talk", language="pt", text_only="true")
            async with talking(url, **bearer(value)) as follower:
                await follower.next()
                listening.release()
                events = await follower.rest()
                assert follower.socket.close_code == 1000
                assert types_of(events)[-1] == "session.closed"
                return text_of(events, SAID)

        listening = asyncio.Semaphore(0)
        followers = [asyncio.create_task(follow()) for _ in range(CONNECTIONS)]
        for _ in followers:
            await listening.acquire()
        await said(talk)
        await talk.rest()
        heard = await asyncio.gather(*followers)
        assert len(set(heard)) == 1
        assert heard[0].startswith("pt: ")


async def test_secrets_are_good_on_every_ingress(two: Running) -> None:
    session = {"model": "asr", "audio": {"output": {"language": "pt", "text_only": True}}}
    path = "v1/realtime/translations/client_secrets"
    value = (await post(two, path, {"session": session}))["value"]
    offered = ["realtime", f"openai-insecure-api-key.{value}"]
    for _ in range(CONNECTIONS):
        async with talking(at(two, TRANSLATION, model="asr"), subprotocols=offered) as talk:
            created = (await talk.next())["session"]
            assert created["audio"]["output"]["language"] == "pt"


def test_a_drained_server_closes_with_1012_and_what_was_said(two: Running) -> None:
    async def drained() -> tuple[list[dict[str, Any]], int | None]:
        query = {"model": "asr", "to": "pt", "text_only": "true"}
        async with talking(at(two, TRANSLATION, **query), **bearer()) as talk:
            await talk.next()
            await talk.append(speech(1.0))
            ending = asyncio.create_task(asyncio.to_thread(two.command, "drain"))
            events = await talk.rest(within_s=90)
            assert (await ending).returncode == 0
            return events, talk.socket.close_code

    events, code = asyncio.run(drained())
    assert code == 1012
    assert text_of(events, SAID).startswith("pt: ")


# The last test of its server, which takes no more requests since the test before.
def test_a_drained_server_runs_and_takes_no_more_requests(two: Running) -> None:
    drained = two.command("drain")
    headers = {"Authorization": f"Bearer {KEY}"}
    answer = httpx.post(two.url + TEXT, json=TEXT_OK, headers=headers, timeout=60)
    is_running = two.process.poll() is None
    assert (drained.returncode, answer.status_code, is_running) == (0, 503, True), drained.stderr


# ---- over real models --------------------------------------------------------------------


def recording(stem: str) -> NDArray[np.int16]:
    """A clip as a client sends it, with silence behind it."""
    audio = resample(decode(clip(stem).path.read_bytes(), max_duration_s=60), 24_000)
    return np.concatenate([audio.samples, np.zeros(24_000, np.int16)]).astype(np.int16)


async def test_a_real_sentence_is_translated_and_spoken(server: Running) -> None:
    query = {"model": "asr", "to": "pt"}
    async with talking(at(server, TRANSLATION, **query)) as talk:
        heard = {"transcription": {"model": "whisper-1"}}
        await talk.send("session.update", session={"audio": {"input": heard}})
        samples = recording(STEM)
        for start in range(0, len(samples), 4_800):
            await talk.append(samples[start : start + 4_800])
        await talk.send("session.close")
        events = await talk.rest(within_s=90)
        assert types_of(events)[-1] == "session.closed"
        assert wer([clip(STEM).text], [text_of(events, HEARD)]) < 0.35
        assert len(text_of(events, SAID)) > 20
        assert any(event["type"] == "session.output_audio.delta" for event in events)


async def test_the_stock_client_transcribes(server: Running) -> None:
    """OpenAI's SDK as it comes, with the intent that it sends."""
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
        connecting = client.realtime.connect(extra_query={"intent": "transcription"})
        async with connecting as connection:
            assert (await connection.recv()).type == "session.created"
            turns: Any = {"turn_detection": None}
            session: Any = {"type": "transcription", "audio": {"input": turns}}
            await connection.session.update(session=session)
            samples = recording(STEM)
            for start in range(0, len(samples), 24_000):
                piece = samples[start : start + 24_000].astype("<i2").tobytes()
                audio = base64.b64encode(piece).decode()
                await connection.input_audio_buffer.append(audio=audio)
            await connection.input_audio_buffer.commit()
            async with asyncio.timeout(90):
                async for event in connection:
                    assert event.type != "error"
                    if event.type == "conversation.item.input_audio_transcription.completed":
                        assert wer([clip(STEM).text], [event.transcript]) < 0.35
                        break
