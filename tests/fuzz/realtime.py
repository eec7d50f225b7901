"""What is sent over a WebSocket: events of both realtime protocols, damaged and out of order."""

from __future__ import annotations

import asyncio
import base64
import json
from functools import cache
from typing import Any, NamedTuple

from hypothesis import strategies as st
from starlette.types import Message

from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from tests.fuzz.mutations import rearranged, spoilt
from tests.support.local import fake_config, fake_fleet

AUDIO = base64.b64encode(bytes(2_400)).decode()
INPUT = {
    "format": {"type": "audio/pcm", "rate": 24_000},
    "transcription": {"model": "asr", "language": "en", "keywords": ["a"], "delay": "low"},
    "turn_detection": {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 500},
}
TRANSCRIPTION: list[dict[str, Any]] = [
    {"type": "session.update", "session": {"type": "transcription", "audio": {"input": INPUT}}},
    {"type": "input_audio_buffer.append", "audio": AUDIO, "event_id": "a"},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
]
OUTPUT = {"language": "pt", "text_only": True, "languages": ["en"], "voice": None}
TRANSLATION: list[dict[str, Any]] = [
    {
        "type": "session.update",
        "session": {
            "audio": {"input": {"transcription": {"model": "asr"}}, "output": OUTPUT},
            "dragoman": {"events": True, "name": "talk"},
        },
    },
    {"type": "session.input_audio_buffer.append", "audio": AUDIO, "event_id": "a"},
    {"type": "session.close"},
]
PATHS = {
    "/v1/realtime": (TRANSCRIPTION, b"intent=transcription"),
    "/v1/realtime/translations": (TRANSLATION, b"model=asr&text_only=true"),
}
MOST_FRAMES = 6
LIMIT_S = 10.0  # of one conversation: what answers later hangs


class Conversation(NamedTuple):
    """What a client sends on one socket."""

    path: str
    query: bytes
    frames: list[str | bytes]


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    path = draw(st.sampled_from(sorted(PATHS)))
    good, query = PATHS[path]
    frames: list[str | bytes] = []
    for _ in range(draw(st.integers(1, MOST_FRAMES))):
        if draw(st.integers(0, 3)):
            frames.append(json.dumps(draw(rearranged(good))))
        elif draw(st.booleans()):
            text = draw(spoilt([json.dumps(each).encode() for each in good]))
            frames.append(text.decode("utf-8", "replace"))
        else:
            frames.append(draw(st.binary(max_size=64)))
    return Conversation(path, draw(spoilt([query])) if draw(st.booleans()) else query, frames)


class Sockets:
    """The application on fakes, on an event loop of its own."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._app = self._runner.run(self._made())

    async def _made(self) -> Any:
        config = fake_config()
        return asgi_app(await fake_fleet(config), config, Admission(64))

    def talk(self, sent: Conversation) -> list[Message]:
        """Return all that the application sends, until its end."""

        async def bounded() -> list[Message]:
            async with asyncio.timeout(LIMIT_S):
                return await self._talk(sent)

        return self._runner.run(bounded())

    async def _talk(self, sent: Conversation) -> list[Message]:
        messages: list[Message] = [{"type": "websocket.connect"}]
        for frame in sent.frames:
            kind = "text" if isinstance(frame, str) else "bytes"
            messages.append({"type": "websocket.receive", kind: frame})
        messages.append({"type": "websocket.disconnect", "code": 1005})
        answers: list[Message] = []

        async def receive() -> Message:
            return messages.pop(0) if len(messages) > 1 else messages[0]

        async def send(message: Message) -> None:
            answers.append(message)

        scope = {
            "type": "websocket",
            "path": sent.path,
            "root_path": "",
            "query_string": sent.query,
            "headers": [(b"host", b"localhost")],
            "subprotocols": [],
            "state": {},
        }
        await self._app(scope, receive, send)
        return answers


@cache
def sockets() -> Sockets:
    """One for all that is sent by this process."""
    return Sockets()


def talk(sent: Conversation) -> bool:
    """Whether the session was opened; nothing that is sent is a fault of the server's."""
    answers = sockets().talk(sent)
    for answer in answers:
        status, code = answer.get("status", 0), answer.get("code", 0)
        assert status < 500, f"{status} of {sent.path}"
        assert code != 1011, f"a fault of {sent.path}"
        event = json.loads(answer.get("text", "{}"))
        error = event.get("error") or {}
        assert error.get("code") != "internal_error", f"a fault of {sent.path}"
        assert not error or error["message"], "a refusal in no words"
    return bool(answers[0]["type"] == "websocket.accept")
