"""Feed live sessions in real time over real sockets, and write down all that comes, with its time.

    python feeder.py SPEC.json

It runs in an environment of its own, with the stock ``openai[realtime]`` or with ``websockets``
alone, so it imports nothing of Dragoman. Times are of ``time.monotonic``, which every process of a
machine shares. Frames are encoded before the first is sent.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

FRAME_S, FRAME_BYTES = 0.2, 9_600
OPEN_S, END_S = 30.0, 120.0  # to shake hands; for all answers, once all is sent
UPDATE = "session.updated"

# A session of the specification: id, base_url, key, transcribes, query, update (the session
# object), pcm (path), delay_s (before it begins).
Asked = dict[str, Any]


class Socket(Protocol):
    """One connection, of either library."""

    async def send(self, text: str) -> None: ...

    async def receive(self) -> str | bytes: ...


class OfOpenai:
    """A connection of the stock client."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def send(self, text: str) -> None:
        await self._connection.send_raw(text)

    async def receive(self) -> bytes:
        data: bytes = await self._connection.recv_bytes()
        return data


class OfWebsockets:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def send(self, text: str) -> None:
        await self._connection.send(text)

    async def receive(self) -> str | bytes:
        data: str | bytes = await self._connection.recv()
        return data


@asynccontextmanager
async def connected(library: str, asked: Asked) -> AsyncIterator[Socket]:
    query = dict(asked["query"])
    if library == "openai":
        from openai import AsyncOpenAI

        client = AsyncOpenAI(base_url=asked["base_url"], api_key=asked["key"], max_retries=0)
        manager: Any
        if asked["transcribes"]:
            manager = client.realtime.connect(extra_query=query)
        else:
            model = query.pop("model")
            manager = client.realtime.translations.connect(model=model, extra_query=query)
        async with manager as connection:
            yield OfOpenai(connection)
        return
    from urllib.parse import urlencode

    from websockets.asyncio.client import connect

    path = "realtime" if asked["transcribes"] else "realtime/translations"
    url = f"{asked['base_url']}/{path}?{urlencode(query)}".replace("http", "ws", 1)
    headers = {"authorization": f"Bearer {asked['key']}"}
    async with connect(
        url, additional_headers=headers, compression=None, max_size=None
    ) as connection:
        yield OfWebsockets(connection)


def encoded(asked: Asked, frames: dict[tuple[str, str], list[str]]) -> list[str]:
    """Return a file's frames as messages, each file's once."""
    path = asked["pcm"]
    kind = f"{'' if asked['transcribes'] else 'session.'}input_audio_buffer.append"
    if (path, kind) not in frames:
        pcm = Path(path).read_bytes()
        pieces = (pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES))
        frames[path, kind] = [
            json.dumps({"type": kind, "audio": base64.b64encode(piece).decode()})
            for piece in pieces
        ]
    return frames[path, kind]


class Session:
    """One session: what was sent when, and what came when."""

    def __init__(self, asked: Asked, messages: list[str]) -> None:
        self._asked, self._messages = asked, messages
        self._agreed = asyncio.Event()
        self._open: set[str] = set()  # turns that are not whole
        self._is_cleared = False
        self.found: dict[str, Any] = {"id": asked["id"], "sent": [], "events": []}

    async def run(self, library: str, begins_at: float) -> None:
        await asyncio.sleep(max(0.0, begins_at + self._asked["delay_s"] - time.monotonic()))
        try:
            async with asyncio.timeout(OPEN_S + FRAME_S * len(self._messages) + END_S):
                async with connected(library, self._asked) as socket:
                    await self._talk(socket)
        except Exception as error:  # a refusal, or a session that broke off, is a figure
            self.found["error"] = f"{type(error).__name__}: {error}"
            response = getattr(error, "response", None)
            if response is not None:
                self.found["status"] = response.status_code
                self.found["retry_after"] = response.headers.get("retry-after")

    async def _talk(self, socket: Socket) -> None:
        await socket.send(json.dumps({"type": "session.update", "session": self._asked["update"]}))
        feeding = asyncio.create_task(self._feed(socket))
        try:
            while True:
                data = await socket.receive()
                if self._take(json.loads(data), time.monotonic()):
                    return
        finally:
            feeding.cancel()

    async def _feed(self, socket: Socket) -> None:
        """Send each frame when its last sample would have been spoken."""
        await self._agreed.wait()
        started = time.monotonic()
        sent = self.found["sent"]
        for number, message in enumerate(self._messages, 1):
            await asyncio.sleep(max(0.0, started + number * FRAME_S - time.monotonic()))
            await socket.send(message)
            sent.append(time.monotonic())
        for kind in ENDS[self._asked["transcribes"]]:
            await socket.send(json.dumps({"type": kind}))

    def _take(self, event: dict[str, Any], now: float) -> bool:
        """Keep what an event says; tell whether it was the last."""
        kind = event["type"]
        if kind == UPDATE:
            self._agreed.set()
        kept = {name: event[name] for name in KEPT if name in event}
        if kind == "session.output_audio.delta":
            kept = {"elapsed_ms": event.get("elapsed_ms"), "chars": len(event["delta"])}
        self.found["events"].append([now, kind, kept])
        return self._is_over(kind, event.get("item_id", ""))

    def _is_over(self, kind: str, item: str) -> bool:
        if kind == "input_audio_buffer.committed":
            self._open.add(item)
        elif kind == "input_audio_buffer.cleared":
            self._is_cleared = True
        elif kind in (f"{TURN}.completed", f"{TURN}.failed"):
            self._open.discard(item)
        return kind == "session.closed" or (self._is_cleared and not self._open)


TURN = "conversation.item.input_audio_transcription"
ENDS = {
    False: ["session.close"],
    True: ["input_audio_buffer.commit", "input_audio_buffer.clear"],
}
KEPT = ("delta", "elapsed_ms", "error", "code", "message")


async def feed(spec: dict[str, Any]) -> dict[str, Any]:
    """Run all sessions of a specification; return what they found."""
    frames: dict[tuple[str, str], list[str]] = {}
    sessions = [Session(each, encoded(each, frames)) for each in spec["sessions"]]
    begins_at = max(spec["begins_at"], time.monotonic())
    used_s = time.process_time()
    await asyncio.gather(*(session.run(spec["library"], begins_at) for session in sessions))
    cpu_s = time.process_time() - used_s
    return {"cpu_s": cpu_s, "sessions": [session.found for session in sessions]}


def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text())
    Path(spec["out"]).write_text(json.dumps(asyncio.run(feed(spec))))


if __name__ == "__main__":
    main()
