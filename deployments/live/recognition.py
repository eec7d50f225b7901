"""Recognise a session's utterances in order, one question at a time, while they are spoken."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from deployments.batching.clock import Clock
from deployments.live.agreement import Heard, text_of
from deployments.live.answers import ENOUGH_BEHIND, Answers
from deployments.live.events import (
    Event,
    Notice,
    TranscriptDelta,
    TranscriptPartial,
    TurnFailed,
)
from deployments.live.models import HearingModels
from deployments.live.options import LiveOptions
from deployments.live.pace import PACES, Load
from deployments.live.tape import Tape
from deployments.live.turn import Turn
from deployments.live.utterance import Pause, Utterance
from models.asr.spoken_languages import LEAST_S
from models.errors import DragomanError
from models.types import SAMPLE_RATE_HZ, UNDETERMINED

# Silence after which an answer may turn out to be the last one.
SPECULATE = round(0.16 * SAMPLE_RATE_HZ)
# Speech behind a pause whose language is asked for once somebody has stopped.
LEAST_BEHIND = round(LEAST_S * SAMPLE_RATE_HZ)


@dataclass(frozen=True, slots=True)
class _Question:
    """The open audio of an utterance up to a place, and whether the answer may be the last."""

    utterance: Utterance
    edge: int
    is_final: bool = False
    pause: Pause | None = None  # ask for the language behind it alone


def _is_over(open_one: Utterance) -> bool:
    """Tell whether speech has ended, or may have."""
    return open_one.end is not None or open_one.silence >= SPECULATE


class Recognition:
    """Asks for one utterance after the other; answers become deltas and turns."""

    def __init__(
        self,
        models: HearingModels,
        options: LiveOptions,
        emit: Callable[[Event], None],
        clock: Clock,
        tape: Tape,
        split: Callable[[Utterance, int], Utterance],
    ) -> None:
        self._models, self._emit, self._clock, self._split = models, emit, clock, split
        self._answers = Answers(models, options, clock, tape)
        # Each turn stands behind its utterances once it is complete.
        self._queue: deque[Utterance | Turn] = deque()
        self._woken, self._moved = asyncio.Event(), asyncio.Event()
        self._load = Load()
        self._is_finishing = False
        self._asked_of: Utterance | None = None  # of the question that is open
        self._has_told = False  # that the recogniser hears whole turns alone

    @property
    def options(self) -> LiveOptions:
        """Return those of what is said now."""
        return self._answers.options

    @options.setter
    def options(self, options: LiveOptions) -> None:
        self._answers.options = options

    # ---- what the listening half tells -----------------------------------------------------

    def add(self, utterance: Utterance) -> None:
        self._queue.append(utterance)
        if not self._models.takes_prefix and not self._has_told:
            self._has_told = True
            message = "This recogniser hears whole turns alone: text comes at the end of each."
            self._emit(Notice("whole_turns_only", message))

    def complete(self, turn: Turn) -> None:
        self._queue.append(turn)

    def wake(self) -> None:
        """Look whether there is something to ask."""
        self._woken.set()
        self._moved.set()

    def finish(self) -> None:
        """Let ``run`` return once nothing waits."""
        self._is_finishing = True
        self.wake()

    @property
    def waiting(self) -> int:
        """Return how many samples of speech wait for the recogniser.

        Speech that goes on, and for which more of it must come before it is asked for, does not.
        """
        utterances = [each for each in self._queue if isinstance(each, Utterance)]
        return sum(each.waiting for each in utterances if self._is_due(each))

    def needed_from(self, otherwise: int) -> int:
        """Return the place from which on audio may still be asked for."""
        starts = (each.start for each in self._queue if isinstance(each, Utterance))
        return min([self._answers.context.needed_from(otherwise), *starts])

    async def progress(self) -> None:
        """Wait until something was heard or recognised."""
        self._moved.clear()
        await self._moved.wait()

    # ---- asking ----------------------------------------------------------------------------

    async def run(self) -> None:
        while True:
            question = self._next()
            if question is not None:
                self._asked_of = question.utterance
                await self._ask(question)
                self._asked_of = None
                self._moved.set()
            elif self._is_finishing and not self._queue:
                return
            else:
                self._woken.clear()
                await self._woken.wait()

    def _next(self) -> _Question | None:
        """Close what is recognised; return what to ask next."""
        while self._queue:
            head = self._queue[0]
            if isinstance(head, Turn):
                self._conclude(head)
            elif head.turn.is_lost:
                if head.end is None:
                    return None
                self._answers.context.forget()
            elif head.end is not None and head.is_recognised:
                self._send(head, head.settle())
                if head.goes_on():
                    continue
                self._close(head)
            else:
                if head.sure and not self._models.takes_prefix:  # another recogniser was chosen
                    head.begin_behind()
                return self._question(head)
            self._queue.popleft()
        return None

    def _is_due(self, each: Utterance) -> bool:
        return each is self._asked_of or self._question(each) is not None

    def _question(self, open_one: Utterance) -> _Question | None:
        if open_one.end is None and not self._models.takes_prefix:
            return None
        is_over = _is_over(open_one)
        edge = open_one.audible_end if open_one.end is None else open_one.end
        pause = open_one.pause_to_look_behind(LEAST_BEHIND if is_over else ENOUGH_BEHIND)
        if pause is not None:
            return _Question(open_one, edge, pause=pause)
        if open_one.end is not None:
            return _Question(open_one, edge, is_final=True)
        if open_one.covered >= open_one.speech_end:
            return None
        if is_over:
            return _Question(open_one, edge, is_final=True)
        if open_one.silence or self._load.is_behind:  # speech may just have ended
            return None
        if open_one.language is None and edge - open_one.start < LEAST_S * SAMPLE_RATE_HZ:
            return None
        step_s = self._load.step_s(PACES[self.options.delay])
        if edge - max(open_one.start, open_one.covered) < step_s * SAMPLE_RATE_HZ:
            return None
        return _Question(open_one, edge)

    async def _ask(self, question: _Question) -> None:
        asked_of, started_s = question.utterance, self._clock.time()
        try:
            if question.pause is not None:
                await self._look_behind(question.pause, asked_of, question.edge)
                return
            words = self._answers.words(
                asked_of, question.edge, question.is_final, has_time=self._load.has_time
            )
            work = asyncio.ensure_future(words)
            try:
                if not question.is_final and not await self._in_time(work, asked_of):
                    return
                answer = await work
            finally:
                work.cancel()
                await asyncio.wait({work})
        except DragomanError as error:
            asked_of.turn.failed = error
            return
        if self._load.add(self._clock.time() - started_s):
            message = (
                "Recognition is behind: text comes at the end of speech until it has caught up."
            )
            self._emit(Notice("recognition_behind", message))
        if asked_of.turn.is_lost:
            return
        if answer is None:
            asked_of.hear_nothing(question.edge)
            return
        hold = round(PACES[self.options.delay].hold_s * SAMPLE_RATE_HZ)
        shown = text_of(asked_of.newest)
        sent = asked_of.take(answer, question.edge, hold, is_final=question.is_final)
        self._send(asked_of, sent)
        if asked_of.end is None:
            asked_of.cut()
            if text_of(asked_of.newest) != shown:
                self._show(asked_of)

    async def _in_time(self, work: asyncio.Future[Any], asked_of: Utterance) -> bool:
        """Wait for an update, until speech has ended: then the last answer tells all."""
        while not work.done() and not _is_over(asked_of):
            self._woken.clear()
            woken = asyncio.ensure_future(self._woken.wait())
            await asyncio.wait({work, woken}, return_when=asyncio.FIRST_COMPLETED)
            woken.cancel()
        return work.done()

    async def _look_behind(self, pause: Pause, asked_of: Utterance, edge: int) -> None:
        """End an utterance at a pause, behind which another language is spoken."""
        told = await self._answers.language_behind(pause, asked_of, edge)
        if asked_of.turn.is_lost or pause not in asked_of.pauses:
            return
        asked_of.pauses.remove(pause)
        if told is not None:
            later = self._split(asked_of, pause.at)
            if told[0] != UNDETERMINED:
                later.tell_language(*told)
            self._queue.insert(1, later)

    def _close(self, head: Utterance) -> None:
        head.conclude()
        head.turn.is_new_utterance = True
        self._answers.remember(head)

    # ---- telling ---------------------------------------------------------------------------

    def _send(self, said_in: Utterance, words: Sequence[Heard]) -> None:
        text = text_of(words)
        if not text:
            return
        turn, language = said_in.turn, said_in.spoken_language
        text = turn.add(text, language)
        self._emit(TranscriptDelta(turn.number, text, words[0].start_s, words[-1].end_s, language))

    def _show(self, said_in: Utterance) -> None:
        newest = said_in.newest
        end_s = newest[-1].end_s if newest else said_in.covered / SAMPLE_RATE_HZ
        self._emit(TranscriptPartial(said_in.turn.number, text_of(newest), end_s))

    def _conclude(self, turn: Turn) -> None:
        """Tell what became of a complete turn."""
        if turn.failed is not None:
            self._emit(TurnFailed(turn.number, turn.failed))
            return
        self._emit(turn.done())
