"""The realtime protocols on real sockets, over sessions whose ear hears loud samples as words."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from deployments.batching.clock import Clock
from deployments.config.live import Live
from deployments.config.schema import AppConfig
from deployments.http.app import LiveParts, asgi_app
from deployments.http.middleware.admission import Admission
from deployments.http.realtime.relay import Elsewhere
from deployments.library.store import Store
from deployments.live.events import (
    Cleared,
    Event,
    IdleTimeout,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
    TurnCommitted,
    TurnDone,
)
from deployments.live.models import LiveModels
from deployments.live.options import LiveOptions
from deployments.live.senses import Senses
from deployments.live.sessions import Sessions
from models.errors import EmptyCommit
from models.types import SAMPLE_RATE_HZ
from tests.support.live import FakeModels, PassingResampler
from tests.support.local import fake_config, fake_fleet
from tests.support.sockets import serving

RATE_HZ = 24_000
WORD_S = 0.25  # of loud samples
LOUD = 100
TRANSLATION, TRANSCRIPTION = "v1/realtime/translations", "v1/realtime"


def speech(seconds: float, rate_hz: int = RATE_HZ) -> NDArray[np.int16]:
    return np.full(round(seconds * rate_hz), 1000, np.int16)


def silence(seconds: float, rate_hz: int = RATE_HZ) -> NDArray[np.int16]:
    return np.zeros(round(seconds * rate_hz), np.int16)


class Ear:
    """Hears a word in each ``WORD_S`` of loud samples, and ends a turn at silence."""

    def __init__(
        self, models: LiveModels, options: LiveOptions, emit: Callable[[Event], None], clock: Clock
    ) -> None:
        self.options, self._emit = options, emit
        self.tasks: tuple[asyncio.Task[None], ...] = ()
        self._at = self._loud = self._quiet = 0  # samples
        self._turn, self._words = 0, 0
        self._from = 0  # where the audio begins that may be committed
        self._start_s: float | None = None
        self._text = ""
        self.room = asyncio.Event()
        self.room.set()

    async def until_heard(self, at_most_s: float) -> None:
        await self.room.wait()

    def add(self, samples: NDArray[np.int16]) -> None:
        for start in range(0, len(samples), 800):
            self._hear(samples[start : start + 800])

    def _hear(self, piece: NDArray[np.int16]) -> None:
        self._at += len(piece)
        if np.abs(piece).max(initial=0) >= LOUD:
            self._loud, self._quiet = self._loud + len(piece), 0
            if self._start_s is None:
                self._start_s = (self._at - len(piece)) / SAMPLE_RATE_HZ
                if self.options.turns is not None:
                    self._emit(SpeechStarted(self._turn, self._start_s))
            if self._loud >= WORD_S * SAMPLE_RATE_HZ * (self._text.count("w") + 1):
                self._say()
            return
        self._quiet += len(piece)
        turns = self.options.turns
        if turns is None:
            return
        quiet_s = self._quiet / SAMPLE_RATE_HZ
        if self._start_s is not None and quiet_s >= (turns.silence_s or 0.5):
            self._emit(SpeechStopped(self._turn, self._at / SAMPLE_RATE_HZ))
            self._end_turn()
        elif turns.idle_timeout_s is not None and quiet_s >= turns.idle_timeout_s:
            self._emit(IdleTimeout(self._at / SAMPLE_RATE_HZ - quiet_s, self._at / SAMPLE_RATE_HZ))
            self._quiet = 0

    def _say(self) -> None:
        gap = " " if self._text else ""
        word = f"{gap}w{self._words}"
        self._words += 1
        self._text += word
        end_s = self._at / SAMPLE_RATE_HZ
        self._emit(TranscriptDelta(self._turn, word, end_s - WORD_S, end_s, "en"))

    def commit(self) -> None:
        if self._at - self._from < 0.1 * SAMPLE_RATE_HZ:
            raise EmptyCommit("there is next to no audio")
        self._end_turn()

    def _end_turn(self) -> None:
        self._from = self._at
        start_s, end_s = self._start_s or 0.0, self._at / SAMPLE_RATE_HZ
        self._emit(TurnCommitted(self._turn, start_s, end_s))
        speech_s = self._loud / SAMPLE_RATE_HZ
        self._emit(TurnDone(self._turn, self._text, start_s, end_s, "en", 0.9, speech_s, -0.2))
        self._turn += 1
        self._forget()

    def clear(self) -> None:
        self._from = self._at
        self._forget()
        self._emit(Cleared())

    def _forget(self) -> None:
        self._start_s, self._text, self._loud, self._quiet = None, "", 0, 0

    def update(self, options: LiveOptions) -> None:
        self.options = options

    async def finish(self) -> None:
        if self._text:
            self._end_turn()

    def abort(self) -> None:
        """Nothing runs."""


class Place:
    """One ingress process in this one: its address and its sessions."""

    def __init__(self, url: str, sessions: Sessions, admission: Admission) -> None:
        self.url, self.sessions, self.admission = url, sessions, admission

    def at(self, path: str, **query: str) -> str:
        address = f"{self.url}{path}".replace("http://", "ws://")
        return f"{address}?{urlencode(query)}" if query else address


@asynccontextmanager
async def realtime(
    config: AppConfig | None = None,
    limits: Live | None = None,
    elsewhere: Elsewhere | None = None,
    sessions: Sessions | None = None,
    signing_key: bytes = b"k" * 32,
    store: Store | None = None,
    **settings: Any,
) -> AsyncIterator[Place]:
    """Serve the protocols; ``settings`` are those of the sessions' models."""
    config = config or fake_config()
    config = config.model_copy(update={"live": limits or Live()})
    clock = asyncio.get_running_loop()
    if sessions is None:
        senses = Senses(Ear, PassingResampler)
        sessions = Sessions(lambda: FakeModels(clock, **settings), senses, clock, config.live)
    admission = Admission(64)
    live = LiveParts(sessions, elsewhere, signing_key)
    app = asgi_app(await fake_fleet(config), config, admission, live=live, store=store)
    async with serving(app) as url:
        yield Place(url, sessions, admission)
        for session in list(sessions):
            session.abort()


class Talk:
    """A client's end of one socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def append(self, samples: NDArray[np.int16], kind: str = TRANSLATION) -> None:
        session = "session." if kind == TRANSLATION else ""
        audio = base64.b64encode(samples.astype("<i2").tobytes()).decode()
        await self.send(f"{session}input_audio_buffer.append", audio=audio)

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            event: dict[str, Any] = json.loads(await self.socket.recv())
        return event

    async def until(self, kind: str) -> list[dict[str, Any]]:
        """Read up to an event of that type."""
        events = [await self.next()]
        while events[-1]["type"] != kind:
            events.append(await self.next())
        return events

    async def rest(self, within_s: float = 10) -> list[dict[str, Any]]:
        """Read until the socket is closed."""
        events = []
        with suppress(ConnectionClosedError):
            async with asyncio.timeout(within_s):
                async for text in self.socket:
                    events.append(json.loads(text))  # noqa: PERF401 - kept when it breaks off
        return events


@asynccontextmanager
async def talking(url: str, **settings: Any) -> AsyncIterator[Talk]:
    async with connect(url, max_size=None, **settings) as socket:
        yield Talk(socket)


def types_of(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def text_of(events: list[dict[str, Any]], kind: str) -> str:
    """Join the deltas of a type."""
    return "".join(event["delta"] for event in events if event["type"] == kind)
