"""Recognise live speech: samples in, turns and sure words out, at the pace that models have."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deployments.batching.clock import Clock
from deployments.live.events import (
    Cleared,
    Event,
    IdleTimeout,
    SpeechStarted,
    SpeechStopped,
    TurnCommitted,
)
from deployments.live.models import HearingModels
from deployments.live.options import LiveOptions, VadTurns
from deployments.live.pace import PACES
from deployments.live.recognition import Recognition
from deployments.live.retry import asked
from deployments.live.tape import Tape
from deployments.live.turn import Turn
from deployments.live.turns import TurnDetector
from deployments.live.utterance import LONGEST, TAIL, Utterance
from models.errors import DragomanError, EmptyCommit
from models.types import SAMPLE_RATE_HZ, VadItem
from models.vad.silero import FRAME_SAMPLES

LEAST_FRAMES, MOST_FRAMES = 4, 512  # that are heard at once: 128 ms to 16 s
LEAST_COMMIT = SAMPLE_RATE_HZ // 10  # samples

Mark: TypeAlias = Literal["commit", "clear", "update", "finish"]
Emit: TypeAlias = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class _Marker:
    """A caller's wish at a place in the stream."""

    mark: Mark
    at: int
    options: LiveOptions | None = None


class Hearing:
    """Hears one speaker's stream. Its state is here alone; the models hold none.

    Two tasks share the work. One listens: it finds where turns begin and end. The other
    recognises them, in order, with one question to the model at a time.
    """

    def __init__(
        self, models: HearingModels, options: LiveOptions, emit: Emit, clock: Clock
    ) -> None:
        self._models, self._options, self._emit, self._clock = models, options, emit, clock
        self._tape, self._detector = Tape(), TurnDetector()
        self._state: NDArray[np.float32] | None = None  # of the VAD
        self._heard = 0  # where the next frame begins
        self._floor = 0  # where the last turn ended: no other one begins before
        self._asked_from = 0  # where the audio begins that the caller may still commit
        self._silent_from: int | None = 0  # None: the caller was told that nobody speaks
        self._markers: deque[_Marker] = deque()
        self._came, self._turns = asyncio.Event(), 0
        self._turn: Turn | None = None
        self._utterance: Utterance | None = None
        self._recognition = Recognition(models, options, emit, clock, self._tape, self._split)
        self._listening = asyncio.ensure_future(self._listen())
        self._recognising = asyncio.ensure_future(self._recognition.run())
        self.tasks: tuple[asyncio.Task[None], ...] = (self._listening, self._recognising)

    @property
    def unheard_s(self) -> float:
        """Return how much speech waits for the models."""
        return (self._tape.end - self._heard + self._recognition.waiting) / SAMPLE_RATE_HZ

    async def until_heard(self, at_most_s: float) -> None:
        """Wait until no more than so much speech waits for the models."""
        listening = self._listening
        while self.unheard_s > at_most_s and not (listening.cancelling() or listening.done()):
            await self._recognition.progress()

    def add(self, samples: NDArray[np.int16]) -> None:
        """Take samples at 16 kHz, mono. Raises whatever ended the session's own work."""
        for work in (self._listening, self._recognising):
            if work.done() and not work.cancelled() and (error := work.exception()) is not None:
                raise error
        self._tape.add(samples)
        self._came.set()

    def commit(self) -> None:
        """End the turn here. Raises EmptyCommit: there is next to no audio since the last turn."""
        got = self._tape.end - self._asked_from
        if got < LEAST_COMMIT:
            message = f"the buffer has {1000 * got // SAMPLE_RATE_HZ} ms of audio; 100 are needed"
            raise EmptyCommit(message, param="audio")
        self._asked_from = self._tape.end
        self._mark("commit")

    def clear(self) -> None:
        """Forget the audio since the last turn."""
        self._asked_from = self._tape.end
        self._mark("clear")

    def update(self, options: LiveOptions) -> None:
        """Change the options for what is said from here on."""
        last = self._markers[-1] if self._markers else None
        if last and last.mark == "update" and self._tape.end - last.at < FRAME_SAMPLES:
            self._markers[-1] = replace(last, options=options)  # few wait, however many come
        else:
            self._mark("update", options)

    async def finish(self) -> None:
        """Recognise all that has come, and end."""
        self._mark("finish")
        await self._listening
        self._recognition.finish()
        await self._recognising

    def abort(self) -> None:
        """End at once; what is not recognised yet is lost."""
        self._listening.cancel()
        self._recognising.cancel()
        self._recognition.wake()

    def _mark(self, mark: Mark, options: LiveOptions | None = None) -> None:
        self._markers.append(_Marker(mark, self._tape.end, options))
        self._came.set()

    # ---- listening -------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            marker = self._markers[0] if self._markers else None
            frames = ((marker.at if marker else self._tape.end) - self._heard) // FRAME_SAMPLES
            if frames >= (1 if marker else LEAST_FRAMES):
                await self._hear(min(frames, MOST_FRAMES))
            elif marker:
                self._markers.popleft()
                self._apply(marker)
                if marker.mark == "finish":
                    return
            else:
                self._came.clear()
                await self._came.wait()

    async def _hear(self, frames: int) -> None:
        """Let the VAD judge so many frames, and follow what it says."""
        start, count = self._heard, frames * FRAME_SAMPLES
        item = VadItem(self._tape.cut(start, start + count), state=self._state)
        try:
            heard = await asked(lambda: self._models.hear(item), self._clock)
        except DragomanError as error:  # nobody can tell what was said here
            if self._turn is not None:
                self._turn.failed = error
            self._state, self._heard = None, start + count
            return
        self._state = heard.state
        for number, probability in enumerate(heard.probabilities.tolist()):
            self._follow(start + number * FRAME_SAMPLES, probability)
        self._drop()
        self._recognition.wake()

    def _follow(self, at: int, probability: float) -> None:
        turns, detector = self._options.turns, self._detector
        threshold = (turns or VadTurns()).threshold
        change = detector.hear(at, probability, threshold, self._silence)
        self._heard = at + FRAME_SAMPLES
        if change == "started":
            self._begin(detector.started_at or 0, at)
        if (open_one := self._utterance) is not None:
            open_one.follow(probability, self._heard, detector.silent_since)
        if change == "stopped":
            self._stop()
        elif open_one is not None and self._heard - open_one.start >= LONGEST:
            at = open_one.longest_breath(self._heard)
            self._recognition.add(self._split(open_one, at))
        self._watch_idle()

    @property
    def _silence(self) -> int:
        turns, usual_s = self._options.turns, PACES[self._options.delay].silence_s
        silence_s = usual_s if turns is None or turns.silence_s is None else turns.silence_s
        return round(silence_s * SAMPLE_RATE_HZ)

    def _begin(self, speech_start: int, at: int) -> None:
        """Begin an utterance, with the silence before it that is kept."""
        padding_s = (self._options.turns or VadTurns()).prefix_padding_s
        start = max(self._floor, speech_start - round(padding_s * SAMPLE_RATE_HZ), self._tape.start)
        turn = self._open_turn(start)
        if self._options.turns is not None and not turn.has_begun:
            turn.start = start
            self._emit(SpeechStarted(turn.number, start / SAMPLE_RATE_HZ))
        turn.has_begun = True
        # What was heard before it was sure is speech, too.
        missed = (at - speech_start) // FRAME_SAMPLES
        self._utterance = Utterance(
            turn, start, self._options.language, speech_start, [1.0] * missed, at, at
        )
        self._silent_from = None
        self._recognition.add(self._utterance)

    def _open_turn(self, start: int) -> Turn:
        if self._turn is None:
            self._turn = Turn(self._turns, start)
            self._turns += 1
        return self._turn

    def _close_utterance(self, end: int) -> None:
        if self._utterance is not None:
            self._utterance.end = end
            self._floor, self._utterance = end, None

    def _stop(self) -> None:
        """End the utterance at a silence, and with it the turn where the session ends turns."""
        assert self._utterance is not None
        self._detector.reset()
        self._silent_from = self._heard
        self._close_utterance(min(self._heard, self._utterance.speech_end + TAIL))
        if self._options.turns is not None:
            self._complete_turn(self._floor, self._heard)

    def _split(self, one: Utterance, at: int) -> Utterance:
        """End an utterance at a place inside of it; return what goes on there."""
        later = one.split(at, self._options.language)
        if one is self._utterance:
            self._floor, self._utterance = at, later
        return later

    def _complete_turn(self, end: int, stopped: int) -> None:
        turn = self._open_turn(self._floor)
        turn.end, self._turn = end, None
        self._asked_from = max(self._asked_from, end)
        if self._options.turns is not None and turn.has_begun:
            self._emit(SpeechStopped(turn.number, stopped / SAMPLE_RATE_HZ))
        start_s, end_s = turn.start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ
        self._emit(TurnCommitted(turn.number, start_s, end_s))
        self._recognition.complete(turn)

    def _watch_idle(self) -> None:
        turns = self._options.turns
        if turns is None or turns.idle_timeout_s is None or self._silent_from is None:
            return
        if self._heard - self._silent_from >= turns.idle_timeout_s * SAMPLE_RATE_HZ:
            start_s, end_s = self._silent_from / SAMPLE_RATE_HZ, self._heard / SAMPLE_RATE_HZ
            self._silent_from = None
            self._emit(IdleTimeout(start_s, end_s))

    def _drop(self) -> None:
        """Forget audio that nobody needs any more."""
        padding_s = (self._options.turns or VadTurns()).prefix_padding_s
        began = self._detector.started_at
        kept = (self._heard if began is None else began) - round(padding_s * SAMPLE_RATE_HZ)
        self._tape.drop(max(0, min(kept, self._recognition.needed_from(self._heard))))

    # ---- what the caller wants -------------------------------------------------------------

    def _apply(self, marker: _Marker) -> None:
        if marker.mark == "update":
            assert marker.options is not None
            self._options = self._recognition.options = marker.options
        elif marker.mark == "clear":
            self._forget(marker.at)
            self._emit(Cleared())
        elif marker.mark == "commit" or self._turn is not None:
            self._end_here(marker.at)
        self._recognition.wake()

    def _end_here(self, at: int) -> None:
        """End the open turn at a place that the caller names."""
        turn = self._open_turn(min(self._floor, at))
        turn.start = turn.start if turn.has_begun else min(turn.start, at)
        self._close_utterance(at)
        self._floor = at
        self._detector.reset()
        self._complete_turn(at, at)

    def _forget(self, at: int) -> None:
        """Drop the open turn, of which nothing more is told."""
        if self._turn is not None:
            self._turn.is_dropped = True
        self._close_utterance(at)
        self._turn, self._floor = None, at
        self._detector.reset()
