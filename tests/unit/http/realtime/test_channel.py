"""The channel of a live session: it sends to the end, and lets others have their turn."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from deployments.http.realtime import channel as channels
from deployments.http.realtime.channel import STEP_BYTES, Channel
from deployments.http.realtime.sound import STEP_CHARS, samples_of
from models.errors import InvalidRequest

MAX_UNREAD_BYTES = 1 << 20


async def opened(send: Callable[[Any], Awaitable[None]], texts: list[str] | None = None) -> Channel:
    waiting = [{"type": "websocket.connect"}]
    waiting += [{"type": "websocket.receive", "text": text} for text in texts or ()]

    async def receive() -> Any:
        return waiting.pop(0) if waiting else {"type": "websocket.disconnect"}

    channel = Channel({}, receive, send, MAX_UNREAD_BYTES)
    await channel.accept()
    return channel


async def nowhere(message: Any) -> None:
    """Send nothing."""


async def turns_of_others(work: Awaitable[Any]) -> int:
    """Count how often another task ran while this one did."""
    turns = 0
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    await task
    return turns


async def test_a_reader_that_is_slow_gets_all_before_the_socket_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(channels, "DRAIN_S", 0.3)
    sent: list[Any] = []

    async def slowly(message: Any) -> None:
        if message["type"] == "websocket.send":
            await asyncio.sleep(0.02)
        sent.append(message)

    channel = await opened(slowly)
    for number in range(40):
        channel.tell("piece", number=number)
    await channel.close(1000)
    assert [json.loads(each["text"])["number"] for each in sent[1:-1]] == list(range(40))
    assert sent[-1]["code"] == 1000


@pytest.mark.parametrize("ends", ["it takes nothing", "the time is over"])
async def test_a_reader_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    takes_nothing = ends == "it takes nothing"
    monkeypatch.setattr(channels, "DRAIN_S", 0.01 if takes_nothing else 3600.0)
    closed = []

    async def send(message: Any) -> None:
        if message["type"] == "websocket.send":
            await asyncio.Event().wait()
        closed.append(message.get("code"))

    channel = await opened(send)
    channel.tell("piece")
    loop = asyncio.get_running_loop()
    await channel.close(1012, until=loop.time() + (3600 if takes_nothing else 0.01))
    assert closed[-1] == 1012


async def test_one_who_left_is_noticed_by_what_cannot_be_sent() -> None:
    async def send(message: Any) -> None:
        if message["type"] == "websocket.send":
            raise OSError("gone")

    channel = await opened(send)
    channel.tell("piece")
    await channel.gone.wait()
    await channel.close(1000)


async def test_many_small_events_keep_nobody_waiting() -> None:
    channel = await opened(nowhere, ['{"type": "x"}'] * 500)

    async def read() -> None:
        async for _ in channel.events():
            pass

    assert await turns_of_others(read()) >= 500


async def test_a_long_event_is_read_in_steps() -> None:
    text = json.dumps({"type": "x", "audio": "A" * (4 * STEP_BYTES)})
    channel = await opened(nowhere, [text])
    assert await turns_of_others(anext(channel.events())) >= 4


async def test_long_audio_is_decoded_in_steps_to_the_sample() -> None:
    data = bytes(range(256)) * (STEP_CHARS // 100)
    text = base64.b64encode(data).decode()
    assert (await samples_of(text)).tobytes() == data
    assert await turns_of_others(samples_of(text)) >= 3


@pytest.mark.parametrize(
    "wrong", ["A" * (STEP_CHARS - 1) + "=AAAA", "A" * STEP_CHARS + "%", "A" * STEP_CHARS + "="]
)
async def test_long_audio_is_as_strict_as_short(wrong: str) -> None:
    with pytest.raises(InvalidRequest, match="audio must be base64"):
        await samples_of(wrong)
