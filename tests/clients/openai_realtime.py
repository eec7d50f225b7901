"""The realtime part of the stock ``openai`` package against a running server, a row each.

    python openai_realtime.py --base-url http://127.0.0.1:8000/v1 [--key KEY] FILE

It needs ``openai[realtime]`` alone. FILE is English speech as WAV: 16 bits, one channel, 24 kHz.
Each line of stdout is JSON; the exit status is 1 where one failed.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import sys
import threading
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import openai
from openai import AsyncOpenAI, OpenAI
from openai.lib.realtime_translation import AsyncTranslationSession, TranslationSession

MODEL = "translation"
FRAME_SAMPLES = 4800  # 200 ms
UPDATE = {"audio": {"output": {"language": "pt"}, "input": {"transcription": {}}}}
LIMIT_S = 180.0


class Wrong(Exception):
    """What came is not what the protocol says."""


def frames(path: Path) -> list[str]:
    with wave.open(str(path), "rb") as file:
        pieces = iter(lambda: file.readframes(FRAME_SAMPLES), b"")
        return [base64.b64encode(piece).decode() for piece in pieces]


class Heard:
    """Checks the events of a translation as they come."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.source = self.target = ""
        self.audio_bytes = 0

    def take(self, event: Any) -> bool:
        """Return whether this was the last."""
        self.kinds.append(event.type)
        if event.type == "error":
            raise Wrong(f"error: {event.error.message}")
        if event.type == "session.input_transcript.delta":
            self.source += event.delta
        elif event.type == "session.output_transcript.delta":
            self.target += event.delta
        elif event.type == "session.output_audio.delta":
            self.audio_bytes += len(base64.b64decode(event.delta))
        return bool(event.type == "session.closed")

    def said(self) -> str:
        if self.kinds[:2] != ["session.created", "session.updated"]:
            raise Wrong(f"it began with {self.kinds[:2]}")
        if not (self.source.strip() and self.target.strip() and self.audio_bytes):
            raise Wrong(f"source {self.source!r}, target {self.target!r}, {self.audio_bytes} bytes")
        return f"{self.source.strip()} | {self.target.strip()} | {self.audio_bytes / 48_000:.1f} s"


# ---- translation -------------------------------------------------------------------------


def connected(client: OpenAI, audio: list[str]) -> str:
    heard = Heard()
    with client.realtime.translations.connect(model=MODEL) as connection:
        connection.session.update(session=UPDATE)  # type: ignore[arg-type]

        def feed() -> None:
            for piece in audio:
                connection.session.input_audio_buffer.append(audio=piece)
            connection.session.close()

        threading.Thread(target=feed, daemon=True).start()
        for event in connection:
            if heard.take(event):
                break
    return heard.said()


async def connected_async(client: AsyncOpenAI, audio: list[str]) -> str:
    heard = Heard()
    async with client.realtime.translations.connect(model=MODEL) as connection:
        await connection.session.update(session=UPDATE)  # type: ignore[arg-type]

        async def feed() -> None:
            for piece in audio:
                await connection.session.input_audio_buffer.append(audio=piece)
            await connection.session.close()

        feeding = asyncio.create_task(feed())
        async for event in connection:
            if heard.take(event):
                break
        await feeding
    return heard.said()


def helper(client: OpenAI, audio: list[str]) -> str:
    heard = Heard()
    session = TranslationSession(client.realtime.translations, model=MODEL)
    with session as connection:
        connection.send({"type": "session.update", "session": UPDATE})  # type: ignore[typeddict-item]

        def feed() -> None:
            for piece in audio:
                connection.send({"type": "session.input_audio_buffer.append", "audio": piece})
            connection.send({"type": "session.close"})

        threading.Thread(target=feed, daemon=True).start()
        while not heard.take(connection.recv(timeout=LIMIT_S)):
            pass
    return heard.said()


async def helper_async(client: AsyncOpenAI, audio: list[str]) -> str:
    heard = Heard()
    session = AsyncTranslationSession(client.realtime.translations, model=MODEL)
    async with session as connection:
        await connection.send({"type": "session.update", "session": UPDATE})  # type: ignore[typeddict-item]

        async def feed() -> None:
            for piece in audio:
                await connection.send({"type": "session.input_audio_buffer.append", "audio": piece})
            await connection.send({"type": "session.close"})

        feeding = asyncio.create_task(feed())
        while not heard.take(await connection.recv()):
            pass
        await feeding
    return heard.said()


# ---- transcription -----------------------------------------------------------------------

DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"


async def transcribed(client: AsyncOpenAI, audio: list[str], turns: dict[str, Any] | None) -> str:
    """Send all audio and a commit; wait until each committed turn is whole."""
    given: dict[str, Any] = {"transcription": {"language": "en"}, "turn_detection": turns}
    deltas: dict[str, str] = {}
    whole: dict[str, str] = {}
    committed: list[str] = []
    is_cleared = False
    asked = {"intent": "transcription"}
    async with client.realtime.connect(extra_query=asked) as connection:
        session = {"type": "transcription", "audio": {"input": given}}
        await connection.session.update(session=session)  # type: ignore[arg-type]
        for piece in audio:
            await connection.input_audio_buffer.append(audio=piece)
        await connection.input_audio_buffer.commit()
        await connection.input_audio_buffer.clear()
        async for event in connection:
            if event.type == "error" and event.error.code != "input_audio_buffer_commit_empty":
                raise Wrong(f"error: {event.error.message}")
            if event.type == "input_audio_buffer.committed":
                committed.append(event.item_id)
            elif event.type == DELTA:
                deltas[event.item_id] = deltas.get(event.item_id, "") + (event.delta or "")
            elif event.type == COMPLETED:
                whole[event.item_id] = event.transcript
            is_cleared |= event.type == "input_audio_buffer.cleared"
            if is_cleared and set(committed) == set(whole):
                break
    if not committed or deltas != {item: text for item, text in whole.items() if text}:
        raise Wrong(f"committed {committed}, deltas {deltas}, completed {whole}")
    return " / ".join(whole[item].strip() for item in committed)


async def empty_commit(client: AsyncOpenAI) -> str:
    async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        await connection.input_audio_buffer.commit(event_id="mine")
        async for event in connection:
            if event.type == "error":
                if (event.error.code, event.error.event_id) != (
                    "input_audio_buffer_commit_empty",
                    "mine",
                ):
                    raise Wrong(str(event.error))
                break
    return "input_audio_buffer_commit_empty, with the id of the event"


# ---- rows ----------------------------------------------------------------------------------


def rows(base_url: str, key: str, audio: list[str]) -> dict[str, Callable[[], str]]:
    """Return the calls by their names."""
    options: dict[str, Any] = {"base_url": base_url, "api_key": key, "max_retries": 0}

    def now(call: Callable[[AsyncOpenAI], Awaitable[str]]) -> Callable[[], str]:
        async def bounded() -> str:
            return await asyncio.wait_for(call(AsyncOpenAI(**options)), LIMIT_S)

        return lambda: asyncio.run(bounded())

    def turns(detection: dict[str, Any] | None) -> Callable[[], str]:
        return now(lambda client: transcribed(client, audio, detection))

    return {
        "realtime.translations.connect": lambda: connected(OpenAI(**options), audio),
        "realtime.translations.connect, async": now(lambda c: connected_async(c, audio)),
        "TranslationSession": lambda: helper(OpenAI(**options), audio),
        "AsyncTranslationSession": now(lambda c: helper_async(c, audio)),
        "realtime.connect(intent), server_vad": turns({"type": "server_vad"}),
        "realtime.connect(intent), semantic_vad": turns({"type": "semantic_vad"}),
        "realtime.connect(intent), no detection": turns(None),
        "realtime.connect(intent), empty commit": now(empty_commit),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--key", default="none")
    args = parser.parse_args()
    failed = False
    for name, call in rows(args.base_url, args.key, frames(args.file)).items():
        try:
            row = {"call": name, "ok": True, "said": call()}
        except Exception as error:
            row = {"call": name, "ok": False, "said": f"{type(error).__name__}: {error}"}
            failed = True
        print(json.dumps({"client": f"openai {openai.__version__}", **row}), flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
