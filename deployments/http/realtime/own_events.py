"""Events that only Dragoman has, for clients that ask for them.

A stock client takes a type that it does not know for an error, so nobody gets these unasked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from deployments.http.parsing import warnings_json
from deployments.live.events import (
    Event,
    Notice,
    SentenceDone,
    SpeechStarted,
    SpeechStopped,
    TurnDone,
)
from deployments.live.lag import Stage, stage_of

NAMES: dict[Stage, str] = {
    "recognised": "transcript_s",
    "translated": "translation_s",
    "spoken": "speech_s",
}
LagOf: TypeAlias = Callable[[Event], float | None]  # how late an event is, in seconds
DIGITS = 3  # of seconds: milliseconds


class Tells(Protocol):
    """An object that takes the events of one reader."""

    def tell(self, kind: str, /, **fields: Any) -> None:
        """Send an event."""
        ...


class OwnEvents:
    """Write them, to a reader, once ``is_on``: the client has asked for them."""

    def __init__(self, to: Tells, lag_s: LagOf, *, is_on: bool) -> None:
        self._to, self._lag_s = to, lag_s
        self.is_on = is_on
        self._lag: dict[str, float] = {}

    def show(self, event: Event) -> None:
        """Write what the protocol has no event for."""
        if not self.is_on:
            return
        self._note_lag(event)
        match event:
            case Notice():
                self._to.tell("dragoman.notice", code=event.code, message=event.message)
            case SpeechStarted():
                self._to.tell("dragoman.speech_started", at_ms=ms(event.at_s))
            case SpeechStopped():
                self._to.tell("dragoman.speech_stopped", at_ms=ms(event.at_s))
            case TurnDone() | SentenceDone() if self._lag:
                self._to.tell("dragoman.lag", **self._lag)

    def _note_lag(self, event: Event) -> None:
        stage, lag_s = stage_of(event), self._lag_s(event)
        if stage in NAMES and lag_s is not None:
            self._lag[NAMES[stage]] = round(lag_s, DIGITS)


def turn(event: TurnDone) -> dict[str, Any]:
    """Return what is known of a turn beyond its text."""
    return {
        "language": event.language,
        "language_probability": round(event.language_probability, 4),
        "avg_logprob": round(event.avg_logprob, 4),
        "start_ms": ms(event.start_s),
        "end_ms": ms(event.end_s),
        "warnings": warnings_json(event.warnings),
    }


def sentence(event: SentenceDone) -> dict[str, Any]:
    """Return a whole sentence and its translation."""
    return {
        "text": event.text,
        "source_text": event.source_text,
        "language": event.target,
        "source_language": event.source_language,
        "start_ms": ms(event.start_s),
        "end_ms": ms(event.end_s),
        "warnings": warnings_json(event.warnings),
    }


def ms(seconds: float) -> int:
    """Return milliseconds, as events have them."""
    return round(seconds * 1000)
