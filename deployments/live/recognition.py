"""Recognise a session's utterances in order, one question at a time, while they are spoken."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deployments.batching.clock import Clock
from deployments.graph.languages import Asr
from deployments.graph.plan import TranscribeOptions
from deployments.graph.transcripts import transcript_of
from deployments.live.agreement import Heard, text_of
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
from deployments.live.retry import asked
from deployments.live.tape import Tape
from deployments.live.turn import Turn
from deployments.live.turn_language import early_language, settled
from deployments.live.utterance import Utterance
from models.asr.spoken_languages import LEAST_S, is_clear, to_try
from models.audio.segments import Window
from models.errors import DragomanError
from models.types import SAMPLE_RATE_HZ, UNDETERMINED, AsrItem, Audio, SpeechSpan, Transcript

SPECULATE = round(
    0.16 * SAMPLE_RATE_HZ
)  # silence after which an answer may turn out to be the last one


@dataclass(frozen=True, slots=True)
class _Question:
    """The open audio of an utterance up to a place, and whether the answer may be the last."""

    utterance: Utterance
    edge: int
    is_final: bool


class Recognition:
    """Asks for one utterance after the other; answers become deltas and turns.

    Attributes:
        options: those of what is said now.
    """

    def __init__(
        self,
        models: HearingModels,
        options: LiveOptions,
        emit: Callable[[Event], None],
        clock: Clock,
        tape: Tape,
    ) -> None:
        self._models, self._emit, self._clock, self._tape = models, emit, clock, tape
        self.options = options
        # Each turn stands behind its utterances once it is complete.
        self._queue: deque[Utterance | Turn] = deque()
        self._woken, self._moved = asyncio.Event(), asyncio.Event()
        self._load = Load()
        self._is_finishing = False
        self._asked_of: Utterance | None = None  # of the question that is open
        self._has_told = False  # that the recogniser hears whole turns alone
        self._last_language: str | None = None
        self._known: dict[str, None] = {}  # languages that were clearly heard, in order

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
        return min(starts, default=otherwise)

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
        if open_one.end is not None:
            return _Question(open_one, open_one.end, is_final=True)
        if not self._models.takes_prefix:
            return None
        edge = open_one.audible_end
        if open_one.covered >= open_one.speech_end:
            return None
        if open_one.silence >= SPECULATE:
            return _Question(open_one, edge, is_final=True)
        if open_one.silence or self._load.is_behind:  # speech may just have ended
            return None
        if open_one.language is None and edge - open_one.start < LEAST_S * SAMPLE_RATE_HZ:
            return None
        step_s = self._load.step_s(PACES[self.options.delay])
        if edge - max(open_one.start, open_one.covered) < step_s * SAMPLE_RATE_HZ:
            return None
        return _Question(open_one, edge, is_final=False)

    async def _ask(self, question: _Question) -> None:
        asked_of, started_s = question.utterance, self._clock.time()
        try:
            answer = await self._answer(question)
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

    async def _answer(self, question: _Question) -> Transcript | None:
        """Ask the recogniser; None: the language of what is said is not known yet."""
        asked_of, options = question.utterance, self.options
        samples = self._tape.cut(asked_of.start, question.edge)
        speech = asked_of.speech(question.edge)
        language = asked_of.language

        async def recognise(item: AsrItem) -> Transcript:
            return await asked(lambda: self._models.recognise(item), self._clock)

        if question.is_final and not asked_of.sure:
            if language is None and len(samples) < LEAST_S * SAMPLE_RATE_HZ:
                language = self._last_language
            return await self._whole(samples, speech, language, recognise)
        if language is None:
            told = await recognise(AsrItem(samples, task="detect", languages=options.languages))
            heard_s = len(samples) / SAMPLE_RATE_HZ
            language = early_language(told.languages, self._known, options.languages, heard_s)
            if language is None:
                return None
            asked_of.tell_language(language, dict(told.languages).get(language, 1.0))
        return await recognise(
            AsrItem(
                samples,
                language,
                word_timestamps=True,
                prompt=options.prompt,
                temperature=None if question.is_final else 0.0,
                languages=options.languages,
                prefix=asked_of.prefix,
                beam_size=None if question.is_final else 1,
            )
        )

    async def _whole(
        self,
        samples: NDArray[np.int16],
        speech: tuple[SpeechSpan, ...],
        language: str | None,
        recognise: Asr,
    ) -> Transcript:
        """Recognise speech of which no word was sent, by the rules for recordings."""
        options = TranscribeOptions(
            word_timestamps=True, prompt=self.options.prompt, languages=self.options.languages
        )
        audio, all_s = Audio(samples), len(samples) / SAMPLE_RATE_HZ
        pieces = (SpeechSpan(0.0, all_s),)
        window = Window(pieces, speech or pieces, language)
        found = await transcript_of(audio, window, options, recognise)
        if language is not None or not found.languages or settled(found.languages, self._known):
            return found
        # Doubtful speech may be in a language that was clear before.
        tried = to_try(found.languages, options.languages, options.languages)
        candidates = to_try(found.languages, self._known, options.languages)
        if set(candidates) <= set(tried):
            return found
        told = await recognise(AsrItem(samples, task="detect", languages=candidates))
        if told.language == found.language:
            return found
        window = replace(
            window, language=told.language, language_probability=told.language_probability
        )
        return await transcript_of(audio, window, options, recognise)

    def _close(self, head: Utterance) -> None:
        """Remember of an utterance what those after it need."""
        head.conclude()
        head.turn.is_new_utterance = True
        language = head.spoken_language
        if language != UNDETERMINED:
            self._last_language = language
        if is_clear(((language, head.language_probability),)):
            self._known[language] = None

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
