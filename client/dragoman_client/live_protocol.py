"""Speak the realtime protocols without a socket: events to messages, and messages to events.

Here is what they have in common; both colours of the client share it.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeAlias

from . import errors
from .live_types import (
    BYTES_A_S,
    FRAME_BYTES,
    Lag,
    LiveEvent,
    LiveOptions,
    Notice,
    Problem,
    SpeechEnd,
    SpeechStart,
)

Message: TypeAlias = dict[str, Any]

STAGES = ("transcript", "translation", "speech")


class LiveProtocol(ABC):
    """One session's state on this side: what was sent, what was answered, and whether it ended."""

    path: str

    def __init__(self, options: LiveOptions) -> None:
        self.options = options
        self.session_id: str | None = None
        self.is_closed = False
        self.sent_s = 0.0
        self.answered_s = 0.0  # the place in the source up to which all is answered
        self._unfinished: list[tuple[float, str]] = []  # words, and the place of their end

    # ---- this side ----------------------------------------------------------------------

    def query(self) -> dict[str, str]:
        """Return what the handshake asks for."""
        options = self.options
        values: dict[str, str | None] = {
            "delay": options.delay,
            "name": options.name,
            "language": options.source_language,
            "languages": ",".join(options.languages) or None,
            "dragoman_events": "true" if options.extras else None,
        }
        return {name: value for name, value in values.items() if value is not None}

    @abstractmethod
    def update(self) -> Message | None:
        """Return the ``session.update`` that follows ``session.created``; None: there is none."""

    @abstractmethod
    def append(self, pcm: bytes) -> Message:
        """Return the message that carries some audio."""

    @abstractmethod
    def finish(self) -> Sequence[Message]:
        """Return the messages that ask for all that is still to be answered."""

    def sent(self, pcm: bytes) -> None:
        self.sent_s += len(pcm) / BYTES_A_S

    # ---- the other side -----------------------------------------------------------------

    def read(self, text: str | bytes) -> tuple[str, Message]:
        """Return a message of the server with its type. Raise UnexpectedResponse."""
        try:
            message = json.loads(text)
            return message["type"], message
        except (ValueError, KeyError, TypeError) as error:
            raise errors.UnexpectedResponse(
                f"the server sent no event of the realtime protocol: {error}"
            ) from error

    def created(self, message: Message) -> None:
        session_id = message.get("session", {}).get("id")
        self.session_id = session_id if isinstance(session_id, str) else None

    def events(self, kind: str, message: Message) -> list[LiveEvent]:
        """Return what a message tells; nothing for a kind that this client does not know."""
        match kind:
            case "error":
                return self._problem(message.get("error") or {})
            case "dragoman.lag":
                return [Lag(*(message.get(f"{stage}_s") for stage in STAGES))]
            case "dragoman.notice":
                return [Notice(message["code"], message["message"])]
            case "dragoman.speech_started":
                return [SpeechStart(message["at_ms"] / 1000)]
            case "dragoman.speech_stopped":
                return [SpeechEnd(message["at_ms"] / 1000)]
        return self._events(kind, message)

    @abstractmethod
    def _events(self, kind: str, message: Message) -> list[LiveEvent]:
        """Do as ``events`` does for what one protocol has alone."""

    def _problem(self, error: Message) -> list[LiveEvent]:
        return [Problem(error.get("code"), error.get("message", ""), error.get("param"))]

    def _heard(self, text: str, end_s: float | None) -> None:
        self._unfinished.append((self.sent_s if end_s is None else end_s, text))

    def _answered(self, end_s: float | None) -> None:
        if end_s is not None:
            self.answered_s = max(self.answered_s, end_s)
            self._unfinished = [each for each in self._unfinished if each[0] > self.answered_s]

    def lost(self, why: str) -> errors.SessionLost:
        """Return the error of a session that broke off, with what it did not answer."""
        unfinished = "".join(text for _, text in self._unfinished).strip()
        lost_s = max(0.0, self.sent_s - self.answered_s)
        parts = [f"the live session broke off: {why}"]
        if lost_s:
            parts.append(f"{lost_s:.1f} s from {self.answered_s:.1f} s on are not answered")
        if unfinished:
            parts.append(f"this was heard but not finished: {unfinished!r}")
        return errors.SessionLost(
            "; ".join(parts),
            sent_s=self.sent_s,
            answered_s=self.answered_s,
            unfinished_text=unfinished,
        )


def seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def frames_of(rest: bytearray, pcm: bytes) -> list[bytes]:
    """Add audio to what is left over from before, and take whole frames of 200 ms off it."""
    rest += pcm
    whole = len(rest) - len(rest) % FRAME_BYTES
    frames = [bytes(rest[at : at + FRAME_BYTES]) for at in range(0, whole, FRAME_BYTES)]
    del rest[:whole]
    return frames
