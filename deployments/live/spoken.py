"""Speak one language of a session: a clause at a time, in order, and faster where it is late."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from deployments.batching.clock import Clock
from deployments.catalogue.voices import NamedVoice, name_of, reference_of
from deployments.live.events import Event, Lost, Notice, SpeechDelta
from deployments.live.heard_audio import HeardAudio
from deployments.live.models import LiveModels
from deployments.live.retry import asked
from models.errors import DragomanError, SpeechLost, told
from models.types import SOURCE_VOICE

MAX_SPEED = 1.25
FREE_S, FULL_S = 1.0, 4.0  # unplayed speech at which the speed begins to rise, and is highest
SPEED_STEP = 0.05
MAX_WAITING_CHARS = 6_000  # some minutes of speech
LATE_S, ON_TIME_S = 10.0, 3.0  # that a clause waited, to say that speech is late, and is not now


@dataclass(frozen=True, slots=True)
class Saying:
    """A clause to speak. ``is_own``: as it was said, as nothing translates it."""

    text: str
    start_s: float
    end_s: float
    is_own: bool
    since: float  # on the clock


class PlayHead:
    """The place of a listener who plays all that was sent, without a pause, as it comes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends_at = 0.0

    @property
    def backlog_s(self) -> float:
        """Return how much speech was sent and is not played yet."""
        return max(0.0, self._ends_at - self._clock.time())

    @property
    def speed(self) -> float:
        """Return the speed that catches up with the backlog."""
        share = (self.backlog_s - FREE_S) / (FULL_S - FREE_S)
        faster = (MAX_SPEED - 1) * min(1.0, max(0.0, share))
        return round(1 + SPEED_STEP * round(faster / SPEED_STEP), 2)

    def sent(self, duration_s: float) -> None:
        """Note that so much speech was sent."""
        self._ends_at = max(self._ends_at, self._clock.time()) + duration_s


class SpeechOrder:
    """Speaks what one interpreter says. ``emit`` gets the speech, and what was lost of it."""

    def __init__(
        self,
        target: str,
        voice: NamedVoice,
        models: LiveModels,
        heard: HeardAudio,
        emit: Callable[[Event], None],
        clock: Clock,
    ) -> None:
        self.voice = voice
        self.is_wanted = True
        self._target = target
        self._models = models
        self._heard = heard
        self._emit = emit
        self._clock = clock
        self._waiting: deque[Saying] = deque()
        self._chars = 0
        self._is_late = False
        self._play_head = PlayHead(clock)
        self._news = asyncio.Event()
        self._is_finishing = False

    def say(self, text: str, start_s: float, end_s: float, *, is_own: bool = False) -> None:
        """Let a clause be spoken when its turn comes; too many, and it is lost."""
        if not self.is_wanted:
            return
        if self._chars + len(text) > MAX_WAITING_CHARS:
            self._lost(text, "too much waits to be spoken")
            return
        self._chars += len(text)
        self._waiting.append(Saying(text, start_s, end_s, is_own, self._clock.time()))
        self._news.set()

    def want(self, is_wanted: bool) -> None:
        """Speak from now on, or forget what waits, as nobody wants it spoken."""
        self.is_wanted = is_wanted
        if not is_wanted:
            self._waiting.clear()
            self._chars = 0

    def finish(self) -> None:
        """Let ``run`` end once all is spoken."""
        self._is_finishing = True
        self._news.set()

    async def run(self) -> None:
        """Speak until ``finish`` was called and nothing waits."""
        while True:
            if not self._waiting:
                if self._is_finishing:
                    return
                self._news.clear()
                await self._news.wait()
                continue
            saying = self._waiting.popleft()
            self._chars -= len(saying.text)
            self._tell_lateness(self._clock.time() - saying.since)
            try:
                await self._spoken(saying)
            except DragomanError as error:
                self._lost(saying.text, told(error))

    async def _spoken(self, saying: Saying) -> None:
        speed = self._play_head.speed
        if saying.is_own:
            audio, speed = self._heard.clip(saying.start_s, saying.end_s), 1.0
        else:
            reference = reference_of(self.voice)
            if self.voice == SOURCE_VOICE:
                reference = await self._heard.voice(saying.end_s)
            voice = name_of(self.voice)
            audio = await asked(
                lambda: self._models.speak(saying.text, self._target, voice, speed, reference),
                self._clock,
            )
        if len(audio.samples):
            self._play_head.sent(audio.duration_s)
            delta = SpeechDelta(self._target, audio, saying.start_s, saying.end_s, speed)
            self._emit(delta)

    def _lost(self, text: str, why: str) -> None:
        message = f"not spoken in {self._target}: {text[:200]!r}: {why}"
        self._emit(Lost(self._target, SpeechLost(message)))

    def _tell_lateness(self, waited_s: float) -> None:
        if not self._is_late and waited_s > LATE_S:
            self._is_late = True
            message = f"speech in {self._target} is {waited_s:.0f} s behind its text"
            self._emit(Notice("speech_behind", message))
        elif waited_s < ON_TIME_S:
            self._is_late = False
