"""Live sessions without models: an ear that hears what a test says, and models that obey a rule."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployments.batching.clock import Clock
from deployments.catalogue.voices import NamedVoice, name_of
from deployments.config.live import Live
from deployments.live.events import (
    Event,
    SpeechDelta,
    SpeechStarted,
    TranscriptDelta,
    TranslationDelta,
    TurnCommitted,
    TurnDone,
)
from deployments.live.listeners import Listener
from deployments.live.models import Begun, LiveModels
from deployments.live.options import LiveOptions
from deployments.live.retry import passed
from deployments.live.senses import Senses
from deployments.live.session import Session
from models.errors import DragomanError, Unprocessable, UnsupportedPair
from models.types import (
    SAMPLE_RATE_HZ,
    AsrItem,
    Audio,
    Samples,
    SpeechSpan,
    Transcript,
    Translation,
    VadItem,
    VadResult,
)

CHAR_S = 0.05  # of speech that a character takes at speed 1


def samples(seconds: float, value: int = 1000, rate_hz: int = 24_000) -> NDArray[np.int16]:
    """Return so much sound."""
    return np.full(round(seconds * rate_hz), value, np.int16)


@dataclass
class FakeModels:
    """Translate "text" from en to pt as "<en>pt:text"; speak a character in ``CHAR_S``.

    Attributes:
        translate_s, speak_s: how long an answer takes on the clock.
        failing: errors of the next translations, the first first; None: that one succeeds.
        failing_speech: the same of speech.
        gate: translations wait for it while it is not set.
    """

    clock: Clock
    translate_s: float = 0.0
    speak_s: float = 0.0
    sources: tuple[str, ...] = ("en", "pt", "fr")
    targets: tuple[str, ...] = ("en", "pt", "fr", "es")
    failing: list[Exception | None] = field(default_factory=list)
    failing_speech: list[Exception | None] = field(default_factory=list)
    takes_prefix: bool = True
    takes_prompt: bool = True
    is_closed: bool = False
    prepared: set[tuple[str, str | None]] = field(default_factory=set)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    translated: list[tuple[str, str, str]] = field(default_factory=list)
    begun: list[Begun | None] = field(default_factory=list)
    spoken: list[tuple[str, str, str | None, float]] = field(default_factory=list)
    references: list[Samples | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    def prepare(self, options: LiveOptions) -> None:
        for target in options.targets:
            self.prepare_target(target, options.voice, speaks=options.speaks)

    def prepare_target(self, target: str, voice: NamedVoice, *, speaks: bool) -> None:
        if target not in self.targets:
            raise UnsupportedPair(f"nothing translates to {target}", param="target_language")
        if speaks and voice == "mute":
            raise Unprocessable("no such voice", param="voice")
        self.prepared |= {(target, name_of(voice))} if speaks else set()

    def close(self) -> None:
        self.is_closed = True

    async def hear(self, item: VadItem) -> VadResult:
        seconds = len(item.samples) / SAMPLE_RATE_HZ
        frames = np.ones(int(seconds / 0.032) + 1, np.float32)
        return VadResult((SpeechSpan(0.0, seconds),), frames, np.zeros(0, np.float32))

    async def recognise(self, item: AsrItem) -> Transcript:
        return Transcript("", "en", 1.0, ())

    async def translate(
        self, text: str, source: str, target: str, begun: Begun | None = None
    ) -> Translation:
        self.translated.append((text, source, target))
        self.begun.append(begun)
        await self.gate.wait()
        if self.translate_s:
            await passed(self.translate_s, self.clock)
        if self.failing and (error := self.failing.pop(0)) is not None:
            raise error
        if source not in self.sources:
            raise UnsupportedPair(f"nothing translates {source} to {target}")
        return Translation(f"<{source}>{target}:{text}", source, target)

    async def speak(
        self, text: str, target: str, voice: str | None, speed: float, reference: Samples | None
    ) -> Audio:
        assert (target, voice) in self.prepared, f"{target} was not prepared with voice {voice}"
        self.spoken.append((text, target, voice, speed))
        self.references.append(reference)
        if self.speak_s:
            await passed(self.speak_s, self.clock)
        if self.failing_speech and (error := self.failing_speech.pop(0)) is not None:
            raise error
        return Audio(np.zeros(round(len(text) * CHAR_S / speed * SAMPLE_RATE_HZ), np.int16))


class FakeHearing:
    """Tells what a test says, at the place up to which audio was taken.

    Attributes:
        at_finish: texts of turns that are heard only when the session ends.
    """

    def __init__(
        self, models: LiveModels, options: LiveOptions, emit: Callable[[Event], None], clock: Clock
    ) -> None:
        self.options, self.emit = options, emit
        self.taken = 0
        self.turn = -1
        self.turn_start_s = self.said_s = 0.0
        self.text = ""
        self.at_finish: list[str] = []
        self.calls: list[str] = []
        self.tasks: tuple[asyncio.Task[None], ...] = ()
        self.room = asyncio.Event()
        self.room.set()

    @property
    def heard_s(self) -> float:
        return self.taken / SAMPLE_RATE_HZ

    def add(self, samples: NDArray[np.int16]) -> None:
        self.taken += len(samples)

    async def until_heard(self, at_most_s: float) -> None:
        await self.room.wait()

    def say(self, text: str, language: str = "en", *, start_s: float | None = None) -> None:
        """Be sure of words, which were said up to now."""
        if not self.text:
            self.turn += 1
            self.turn_start_s = self.said_s
            self.emit(SpeechStarted(self.turn, self.said_s))
        start_s = self.said_s if start_s is None else start_s
        self.text += text
        self.said_s = self.heard_s
        self.emit(TranscriptDelta(self.turn, text, start_s, self.heard_s, language))

    def end_turn(self, language: str = "en", **doubts: Any) -> None:
        """End the turn here."""
        at_s = self.heard_s
        self.emit(TurnCommitted(self.turn, self.turn_start_s, at_s))
        times = self.turn_start_s, at_s
        self.emit(TurnDone(self.turn, self.text, *times, language, 1.0, at_s, -0.1, **doubts))
        self.text = ""

    def commit(self) -> None:
        self.calls.append("commit")

    def clear(self) -> None:
        self.calls.append("clear")

    def update(self, options: LiveOptions) -> None:
        self.options = options

    async def finish(self) -> None:
        self.calls.append("finish")
        for text in self.at_finish:
            self.say(text)
            self.end_turn()

    def abort(self) -> None:
        self.calls.append("abort")


class PassingResampler:
    """Takes every third of two samples: good enough where nobody listens."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz

    def add(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        size = round(len(samples) * SAMPLE_RATE_HZ / self._rate_hz)
        return np.resize(samples, size).astype(np.int16) if len(samples) else samples

    def flush(self) -> NDArray[np.int16]:
        return np.zeros(0, np.int16)


SENSES = Senses(FakeHearing, PassingResampler)


@dataclass
class Scene:
    """A session over fakes, and its own listener."""

    clock: Any
    models: FakeModels
    session: Session
    listener: Listener

    @property
    def ear(self) -> FakeHearing:
        hearing = self.session._hearing
        assert isinstance(hearing, FakeHearing)
        return hearing


def scene(clock: Any, options: LiveOptions, limits: Live | None = None, **settings: Any) -> Scene:
    """Open a session on a clock; ``settings`` are those of its models."""
    models = FakeModels(clock, **settings)
    session = Session(models, options, clock, SENSES, limits)
    return Scene(clock, models, session, session.listen())


def waiting(listener: Listener) -> list[Event]:
    """Return what waits for a listener, and let it be read."""
    found = []
    while listener._waiting:
        found.append(listener._waiting[0])
        listener._bytes = 0
        listener._waiting.popleft()
    return found


async def rest(listener: Listener) -> list[Event]:
    """Read to the end. Raises the error for which the listener was dropped."""
    return [event async for event in listener]


def text_of(events: list[Event], target: str) -> str:
    """Join the translation into one language."""
    return "".join(
        event.text
        for event in events
        if isinstance(event, TranslationDelta) and event.target == target
    )


def speech_of(events: list[Event], target: str) -> list[SpeechDelta]:
    """List the speech in one language."""
    return [e for e in events if isinstance(e, SpeechDelta) and e.target == target]


def raising(error: DragomanError, times: int) -> list[Exception | None]:
    """Fail so many times."""
    return [error for _ in range(times)]
