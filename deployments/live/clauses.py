"""Cut speech into clauses as it is written down, so that none waits for its sentence's end.

Nothing here knows a model: transcripts go in, clauses come out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from deployments.live.cuts import best_place, is_mark, places, sentence_end, words
from deployments.live.events import TranscriptDelta, TurnDone, TurnFailed
from deployments.live.options import Delay
from models.text.sentences import MAX_SENTENCE_CHARS
from models.types import UNDETERMINED, AnswerWarning


@dataclass(frozen=True, slots=True)
class ClauseRules:
    """The length that a clause must have to end at a mark, and may have before it ends without one.

    Attributes:
        min_words: of a clause that ends at a comma or the like; None: only sentences end one.
        max_words: of any clause.
        max_s: of the speech of any clause.
    """

    min_words: int | None
    max_words: int
    max_s: float


RULES: dict[Delay, ClauseRules] = {
    "minimal": ClauseRules(3, 7, 3.0),
    "low": ClauseRules(3, 9, 4.0),
    "medium": ClauseRules(3, 12, 5.0),
    "high": ClauseRules(6, 24, 10.0),
    "xhigh": ClauseRules(None, 80, 30.0),
}


@dataclass(frozen=True, slots=True)
class Clause:
    """Words that are translated as one; they can no longer change.

    Attributes:
        starts: whether a sentence begins with it.
        ends: whether its sentence ends with it; its text may be empty then.
        warnings: what is not sure of its turn, as far as that was known.
    """

    turn: int
    text: str
    start_s: float
    end_s: float
    language: str
    starts: bool = True
    ends: bool = True
    warnings: tuple[AnswerWarning, ...] = ()


class ClauseCutter:
    """Cuts the transcript of one session. ``rules`` may change while it runs."""

    def __init__(self, rules: ClauseRules) -> None:
        self.rules = rules
        self._turn = 0
        self._language = UNDETERMINED
        self._text = ""  # what is not cut yet
        self._places: list[int] = [0]  # in it, each with its time
        self._times_s: list[float] = [0.0]
        self._is_inside = False  # a clause of the sentence is cut already

    @property
    def is_between(self) -> bool:
        """Tell whether no clause of an open sentence is cut."""
        return not self._is_inside

    def take(self, event: TranscriptDelta | TurnDone | TurnFailed) -> list[Clause]:
        """Return the clauses that an event completes."""
        if isinstance(event, TurnDone):
            return self.flush(event.warnings)
        if isinstance(event, TurnFailed):
            return self.flush()
        found = []
        if event.turn != self._turn or event.language != self._language:
            found = self.flush()
            self._turn, self._language = event.turn, event.language
        self._append(event)
        return [*found, *self._cut()]

    def flush(self, warnings: tuple[AnswerWarning, ...] = ()) -> list[Clause]:
        """Return what is left, as the end of its sentence."""
        found = self._cut(is_all=True)
        if self._text.strip() or self._is_inside:
            found.append(self._taken(len(self._text), ends=True))
        if found and warnings:
            found[-1] = replace(found[-1], warnings=warnings)
        return found

    def _append(self, event: TranscriptDelta) -> None:
        text = event.text if self._text else event.text.lstrip()
        if not self._text:
            self._places, self._times_s = [0], [event.start_s]
        elif event.start_s > self._times_s[-1]:
            self._places.append(len(self._text))
            self._times_s.append(event.start_s)
        self._text += text
        self._places.append(len(self._text))
        self._times_s.append(max(event.end_s, self._times_s[-1]))

    def _cut(self, *, is_all: bool = False) -> list[Clause]:
        found = []
        while (place := self._next_place(is_all=is_all)) is not None:
            end, ends = place
            found.append(self._taken(end, ends=ends))
        return found

    def _taken(self, end: int, *, ends: bool) -> Clause:
        """Cut off the text up to a place."""
        whole, end_s = self._text, self._time_s(end)
        clause = Clause(
            self._turn,
            whole[:end].strip(),
            round(self._times_s[0], 3),
            round(end_s, 3),
            self._language,
            starts=not self._is_inside,
            ends=ends,
        )
        rest = whole[end:].lstrip()
        start = len(whole) - len(rest)
        first_s = max(end_s, self._time_s(start))
        left = [
            (place - start, max(first_s, at_s))
            for place, at_s in zip(self._places, self._times_s, strict=True)
            if place > start
        ]
        self._text, self._is_inside = rest, not ends
        self._places = [0, *(place for place, _ in left)]
        self._times_s = [first_s, *(at_s for _, at_s in left)]
        return clause

    def _time_s(self, place: int) -> float:
        return float(np.interp(place, self._places, self._times_s))

    def _next_place(self, *, is_all: bool) -> tuple[int, bool] | None:
        """Return where the next clause ends, and whether its sentence does; None: not yet.

        ``is_all``: nothing comes behind the text.
        """
        if not self._text.strip():
            return None
        end = sentence_end(self._text, self._language)
        sentence = self._text if end is None else self._text[:end]
        cut = self._clause_end(sentence, is_whole=is_all or end is not None)
        if cut is not None and cut < len(sentence):
            return cut, False
        if end is None:
            return None if cut is None else (cut, False)
        return end, True

    def _clause_end(self, sentence: str, *, is_whole: bool) -> int | None:
        """Return where a clause ends that need not wait for its sentence; None: it must.

        A sentence that is there as a whole is translated so, unless no model takes it.
        """
        seconds = self._time_s(len(sentence)) - self._times_s[0]
        is_long = words(sentence) > self.rules.max_words or seconds > self.rules.max_s
        if is_whole and len(sentence) <= MAX_SENTENCE_CHARS:
            return None
        at = places(sentence)
        least = self.rules.min_words
        if least is not None:
            for place in at:
                if is_mark(sentence, place) and words(sentence[:place]) >= least:
                    return place
        if not is_long:
            return None
        return best_place(sentence, at, self._language, self.rules.max_words)
