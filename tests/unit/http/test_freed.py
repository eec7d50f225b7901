"""What is left of requests that ended early: nothing that only a garbage collection would free."""

from __future__ import annotations

import asyncio
import gc
import io
import wave
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from deployments.http.app import asgi_app
from deployments.http.connection import Connection
from deployments.http.middleware.admission import Admission
from deployments.http.middleware.bodies import Body
from models.errors import InvalidRequest
from tests.support.local import LocalDirectory, fake_config, fake_fleet, fake_remotes
from tests.support.sockets import gated, opened, raw, serving, until

OF_A_REQUEST = (FrameType, TracebackType, Body, Connection, RequestResponseCycle)
SECONDS = 6  # of audio: several windows, and more than one piece of a body
TRANSCRIBE, TRANSLATE = "/v1/audio/transcriptions", "/v1/speech/translations"


def recording() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(b"\1\1" * 16_000 * SECONDS)
    return file.getvalue()


def form(data: bytes, **fields: str) -> bytes:
    parts = [
        *(f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()),
        b'name="file"; filename="a.wav"\r\n\r\n' + data,
    ]
    shown = [b"--x\r\ncontent-disposition: form-data; " + part + b"\r\n" for part in parts]
    return b"".join([*shown, b"--x--\r\n"])


def request(path: str, body: bytes, length: int | None = None, more: str = "") -> bytes:
    """A POST of a form, after which the server closes."""
    return (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{more}"
        "content-type: multipart/form-data; boundary=x\r\n"
        f"content-length: {len(body) if length is None else length}\r\n\r\n"
    ).encode() + body


SPEECH = form(recording())
PT = form(recording(), target_language="pt")
STREAMED, STREAMED_PT = (
    form(recording(), stream="true"),
    form(recording(), target_language="pt", stream="true"),
)
XX = form(recording(), target_language="xx")


def broken(remotes: LocalDirectory) -> None:
    async def infer(items: Sequence[Any]) -> Any:
        raise RuntimeError("of a stranger")

    remotes["asr"].infer = infer  # type: ignore[method-assign]


@dataclass(frozen=True)
class Way:
    """How a request ends: with a status, or by its caller's leaving."""

    sent: bytes
    status: int | None
    limits: Mapping[str, Any] = field(default_factory=dict)
    set_up: Callable[[LocalDirectory], None] | None = None


WAYS = {
    "answered": Way(request(TRANSCRIBE, SPEECH), 200),
    "answered in events": Way(request(TRANSCRIBE, STREAMED), 200),
    "translated in events": Way(request(TRANSLATE, STREAMED_PT), 200),
    "left while it streams": Way(request(TRANSLATE, STREAMED_PT), None),
    "a model fails before its first event": Way(
        request(TRANSLATE, STREAMED_PT), 500, set_up=broken
    ),
    "left in the upload": Way(request(TRANSCRIBE, SPEECH[:150_000], len(SPEECH)), None),
    "left while it runs": Way(request(TRANSLATE, PT), None),
    "its own time is over": Way(request(TRANSLATE, PT, more="x-timeout-ms: 50\r\n"), 504),
    "the body's time is over": Way(
        request(TRANSCRIBE, SPEECH, 9_999_999), 408, {"receive_timeout_s": 0.1}
    ),
    "too large": Way(request(TRANSCRIBE, b"", 200_000), 413, {"max_body_bytes": 100_000}),
    "audio too long": Way(request(TRANSCRIBE, SPEECH), 413, {"max_audio_s": 1.0}),
    "no audio": Way(request(TRANSCRIBE, form(b"x" * 200_000)), 415),
    "a wrong field": Way(request(TRANSLATE, XX), 400),
    "no form": Way(request(TRANSCRIBE, b"x" * 200_000), 400),
    "no such path": Way(request("/v1/nothing", SPEECH), 404),
    "a model fails": Way(request(TRANSCRIBE, SPEECH), 500, set_up=broken),
}


@contextmanager
def found_by_collection() -> Iterator[list[Any]]:
    """All that a collection finds of what became garbage within the block."""
    found: list[Any] = []
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_nothing_of_a_request_waits_for_a_collection(way: Way) -> None:
    config = fake_config(**way.limits)
    remotes, go_on = fake_remotes(config), asyncio.Event()
    holds = way.status in (None, 504)
    if holds:
        remotes["asr"].hold_all(go_on)
    if way.set_up is not None:
        way.set_up(remotes)
    admission = Admission(8)
    app = asgi_app(await fake_fleet(config, remotes), config, admission)
    async with serving(app) as url:
        with found_by_collection() as found:
            await _answered(url, way, remotes)
            go_on.set()
            await until(lambda: admission._idle.is_set())
            await asyncio.sleep(0.05)  # the batches that were given up end, too
    kinds = [each for each in found if isinstance(each, OF_A_REQUEST)]
    assert [each for each in kinds if _is_ours(each)] == []


async def _answered(url: str, way: Way, remotes: LocalDirectory) -> None:
    if way.status is not None:
        answer = await raw(url, way.sent)
        assert answer.startswith(b"HTTP/1.1 %d " % way.status), answer
        return
    _, writer = await opened(url, way.sent)
    if way is WAYS["left while it runs"]:
        await until(lambda: bool(remotes["vad"].batches))
    await asyncio.sleep(0.05)
    writer.transport.abort()


def _is_ours(each: Any) -> bool:
    """Not of the test's own client."""
    code = getattr(each, "f_code", None)
    return code is None or "tests/unit" not in code.co_filename


async def test_an_error_that_its_handler_keeps_frees_the_body() -> None:
    class Held:
        """Stands for a body."""

    held: list[weakref.ref[Held]] = []

    async def handler(request: Request) -> Response:
        body = Held()
        held.append(weakref.ref(body))
        error = InvalidRequest("kept by the frame that its traceback holds")
        raise error

    gc.disable()
    try:
        async with serving(gated(handler)) as url:
            head = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
            answer = await raw(url, head)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert held[0]() is None
    finally:
        gc.enable()
