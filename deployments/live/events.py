"""What a live session tells, as it happens. Times are seconds since the session's first sample.

A text that was sent is never taken back: the deltas of a turn, put together, are its text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from models.errors import DragomanError
from models.types import AnswerWarning, Audio


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Speech was heard: a turn begins, with the silence before it that is kept."""

    turn: int  # counts from 0
    at_s: float


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The speech of a turn ended, with the silence that told so."""

    turn: int
    at_s: float


@dataclass(frozen=True, slots=True)
class TurnCommitted:
    """The audio of a turn is complete; exactly one ``TurnDone`` or ``TurnFailed`` follows."""

    turn: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class TranscriptDelta:
    """Words that are sure: ``text`` goes on from the turn's deltas before, with its own spaces."""

    turn: int
    text: str
    start_s: float
    end_s: float
    language: str


@dataclass(frozen=True, slots=True)
class TranscriptPartial:
    """Words behind those that are sure, which may still change: each replaces the one before."""

    turn: int
    text: str
    end_s: float


@dataclass(frozen=True, slots=True)
class TurnDone:
    """A turn's whole text; empty where nothing was said.

    Attributes:
        speech_s: how much speech it has.
        avg_logprob: nats a token.
        warnings: what is not sure of it.
    """

    turn: int
    text: str
    start_s: float
    end_s: float
    language: str
    language_probability: float
    speech_s: float
    avg_logprob: float
    warnings: tuple[AnswerWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnFailed:
    """A turn that could not be recognised to its end."""

    turn: int
    error: DragomanError


@dataclass(frozen=True, slots=True)
class Cleared:
    """The audio of the open turn is forgotten; what was committed before is told before."""


@dataclass(frozen=True, slots=True)
class IdleTimeout:
    """Nobody spoke for as long as the options say."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class TranslationDelta:
    """A clause's translation, which goes on from the deltas before in this language."""

    target: str
    text: str
    start_s: float  # of what it translates
    end_s: float


@dataclass(frozen=True, slots=True)
class SentenceDone:
    """A whole sentence and its translation, sent once its last clause was."""

    target: str
    source_text: str
    text: str
    start_s: float
    end_s: float
    source_language: str
    warnings: tuple[AnswerWarning, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SpeechDelta:
    """A clause's translation as speech, in order; ``speed`` above 1 catches up."""

    target: str
    audio: Audio
    start_s: float
    end_s: float
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class Notice:
    """A message about the session, such as that it cannot keep pace."""

    code: str  # in snake_case
    message: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A part of what was said that is missing in a translation, or in its speech."""

    target: str
    error: DragomanError


@dataclass(frozen=True, slots=True)
class Closed:
    """The last event: all that was said is sent, or ``error`` says why not."""

    error: DragomanError | None = None


Event: TypeAlias = (
    SpeechStarted
    | SpeechStopped
    | TurnCommitted
    | TranscriptDelta
    | TranscriptPartial
    | TurnDone
    | TurnFailed
    | Cleared
    | IdleTimeout
    | TranslationDelta
    | SentenceDone
    | SpeechDelta
    | Notice
    | Lost
    | Closed
)
