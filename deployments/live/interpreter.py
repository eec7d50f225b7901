"""Translate a session into one language: clause by clause, in order, and never taken back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial

from deployments.batching.clock import Clock
from deployments.batching.concurrency import all_of, in_order
from deployments.live.clauses import Clause
from deployments.live.events import Event, Lost, Notice, SentenceDone, TranslationDelta
from deployments.live.models import Begun, LiveModels
from deployments.live.retry import asked
from deployments.live.spoken import SpeechOrder
from models.asr.decoding import UNSPACED_LANGUAGES
from models.errors import DragomanError, TranslationLost, UnsupportedPair, told
from models.text.doubts import joined
from models.text.sentences import MAX_SENTENCE_CHARS
from models.types import AnswerWarning, Translation

MAX_WAITING_CHARS = 20_000  # of source text: some 20 minutes of speech
MAX_AT_ONCE = 8  # pieces of one session that are translated side by side
LATE_S, ON_TIME_S = 3.0, 1.0  # that a clause waited, to say that it is late, and is not now
ENDS = ".!?…"


@dataclass(frozen=True, slots=True)
class _Piece:
    """Clauses of one sentence that are translated as one, and when the first of them came."""

    clause: Clause
    since: float


@dataclass(slots=True)
class _Sentence:
    """The open sentence: what was said, and what was sent of it."""

    target: str
    source: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    warnings: list[tuple[AnswerWarning, ...]] = field(default_factory=list)
    start_s: float | None = None
    can_go_on: bool = True  # all of it was translated, and by a model

    def begun(self, clause: Clause) -> Begun | None:
        """Return what a clause goes on from; None: nothing, or more than a model can take."""
        text = _run_on(self.source, clause.language)
        is_short = len(text) + len(clause.text) < MAX_SENTENCE_CHARS
        if clause.starts or not (text and self.can_go_on and is_short):
            return None
        return Begun(text, _run_on(self.text, self.target))


class Interpreter:
    """One language of a session. ``emit`` gets its events, in order.

    Args:
        target: the language.
        models: those of the session.
        emit: takes each event.
        clock: the session's.
        speech: speaks what is translated.
    """

    def __init__(
        self,
        target: str,
        models: LiveModels,
        emit: Callable[[Event], None],
        clock: Clock,
        speech: SpeechOrder,
    ) -> None:
        self.target = target
        self.speech = speech
        self._models = models
        self._emit = emit
        self._clock = clock
        self._waiting: deque[_Piece] = deque()
        self._chars = 0
        self._sentence = _Sentence(target)
        self._has_spoken = False  # a delta was sent: the next one begins with a space
        self._is_late = False
        self._is_finishing = False
        self._news = asyncio.Event()

    def take(self, clause: Clause) -> None:
        """Let a clause be translated when its turn comes; too many, and it is lost."""
        if self._chars + len(clause.text) > MAX_WAITING_CHARS:
            self._lost(clause, "too much waits to be translated")
            clause = replace(clause, text="")
        self._chars += len(clause.text)
        self._waiting.append(_Piece(clause, self._clock.time()))
        self._news.set()

    def finish(self) -> None:
        """Let ``run`` end once all is translated and spoken."""
        self._is_finishing = True
        self._news.set()

    async def run(self) -> None:
        """Translate, and speak beside it, until ``finish`` was called and nothing waits."""
        await all_of([self._translate_all(), self.speech.run()])

    async def _translate_all(self) -> None:
        while True:
            if not self._waiting:
                if self._is_finishing:
                    self.speech.finish()
                    return
                self._news.clear()
                await self._news.wait()
                continue
            pieces = list(self._taken())
            self._tell_lateness(self._clock.time() - pieces[0].since)
            begun = self._sentence.begun(pieces[0].clause)
            translate = partial(self._translated, first=pieces[0], begun=begun)
            async with aclosing(in_order(translate, pieces)) as translated:
                for piece in pieces:
                    self._tell(piece.clause, await anext(translated))

    def _taken(self) -> Iterator[_Piece]:
        """Take what waits, with the clauses of one sentence joined: larger pieces are quicker."""
        for _ in range(MAX_AT_ONCE):
            if not self._waiting:
                return
            piece = self._waiting.popleft()
            while self._waiting and _fit(piece.clause, self._waiting[0].clause):
                following = self._waiting.popleft().clause
                piece = replace(piece, clause=_one(piece.clause, following))
            self._chars -= len(piece.clause.text)
            yield piece

    async def _translated(
        self, piece: _Piece, first: _Piece, begun: Begun | None
    ) -> Translation | None:
        """Translate a piece; None: it is lost. What nothing translates stays as it was said."""
        text, source = piece.clause.text, piece.clause.language
        if not text or source == self.target:
            return Translation(text, source, source)
        try:
            return await asked(
                lambda: self._models.translate(
                    text, source, self.target, begun if piece is first else None
                ),
                self._clock,
            )
        except UnsupportedPair:
            message = (
                f"this is in {source}, which no model here translates to {self.target}; "
                "it is passed on as it was said"
            )
            return Translation(text, source, source, (AnswerWarning("untranslated", message),))
        except DragomanError as error:
            self._lost(piece.clause, told(error))
            return None

    def _tell(self, clause: Clause, translation: Translation | None) -> None:
        """Send a piece's translation, and its sentence where that ends."""
        sentence = self._sentence
        if sentence.start_s is None:
            sentence.start_s = clause.start_s
        sentence.source.append(clause.text)
        if translation is None:
            sentence.can_go_on = False
        elif clause.text:
            is_own = translation.target_language == clause.language
            text = clause.text if is_own else fitted(clause, translation.text)
            self._send(clause, text, is_own=is_own)
            sentence.text.append(text)
            sentence.can_go_on &= not is_own
            sentence.warnings.append(translation.warnings)
        if clause.ends:
            self._end_sentence(clause)

    def _send(self, clause: Clause, text: str, *, is_own: bool) -> None:
        if not text:
            return
        spaced = f"{_gap(self.target)}{text}" if self._has_spoken else text
        self._has_spoken = True
        self._emit(TranslationDelta(self.target, spaced, clause.start_s, clause.end_s))
        self.speech.say(text, clause.start_s, clause.end_s, is_own=is_own)

    def _end_sentence(self, clause: Clause) -> None:
        sentence, self._sentence = self._sentence, _Sentence(self.target)
        source = _run_on(sentence.source, clause.language)
        text = _run_on(sentence.text, self.target)
        if not source:
            return
        warnings = joined([clause.warnings, *sentence.warnings])
        start_s = clause.start_s if sentence.start_s is None else sentence.start_s
        self._emit(
            SentenceDone(
                self.target, source, text, start_s, clause.end_s, clause.language, warnings
            )
        )

    def _lost(self, clause: Clause, why: str) -> None:
        at = f"{clause.start_s:.1f} to {clause.end_s:.1f} s"
        message = f"not translated to {self.target}: {clause.text[:200]!r}, {at}: {why}"
        self._emit(Lost(self.target, TranslationLost(message)))

    def _tell_lateness(self, waited_s: float) -> None:
        if not self._is_late and waited_s > LATE_S:
            self._is_late = True
            message = (
                f"translation to {self.target} is {waited_s:.1f} s behind the transcript; "
                "clauses are joined until it has caught up"
            )
            self._emit(Notice("translation_behind", message))
        elif waited_s < ON_TIME_S:
            self._is_late = False


def fitted(clause: Clause, text: str) -> str:
    """Write a clause as a part of its sentence: small at its start, without a full stop."""
    text = text.strip()
    if not clause.ends and clause.text[-1:] not in ENDS:
        text = text.rstrip(ENDS)
    starts_small = not clause.starts and clause.text[:1].islower()
    if starts_small and text[:1].isupper() and not text[1:2].isupper():
        text = text[0].lower() + text[1:]
    return text


def _run_on(parts: Iterable[str], language: str) -> str:
    """Write clauses one behind the other."""
    return _gap(language).join(filter(None, parts))


def _gap(language: str) -> str:
    return "" if language in UNSPACED_LANGUAGES else " "


def _fit(clause: Clause, following: Clause) -> bool:
    """Tell whether two clauses that wait may be translated as one."""
    is_short = len(clause.text) + len(following.text) < MAX_SENTENCE_CHARS
    is_same = clause.language == following.language and clause.turn == following.turn
    return not clause.ends and not following.starts and is_same and is_short


def _one(clause: Clause, following: Clause) -> Clause:
    return replace(
        following,
        text=_run_on([clause.text, following.text], clause.language),
        start_s=clause.start_s,
        starts=clause.starts,
        warnings=joined([clause.warnings, following.warnings]),
    )
