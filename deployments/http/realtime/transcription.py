"""OpenAI's transcription session: ``WS /v1/realtime?intent=transcription``."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

from deployments.http.errors import error_body
from deployments.http.realtime import own_events, shown
from deployments.http.realtime.channel import Channel, ClientEvent
from deployments.http.realtime.conversation import hear
from deployments.http.realtime.opened import Opened, named_model
from deployments.http.realtime.own_events import OwnEvents, ms
from deployments.http.realtime.session_fields import (
    SemanticVad,
    ServerVad,
    TranscriptionSession,
    updated,
)
from deployments.http.realtime.sound import rate_of, samples_of
from deployments.live.events import (
    Cleared,
    Event,
    IdleTimeout,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
    TranscriptPartial,
    TurnCommitted,
    TurnDone,
    TurnFailed,
)
from deployments.live.options import LiveOptions, VadTurns
from models.errors import InvalidRequest
from models.text.glossary import Glossary
from models.types import UNDETERMINED

# Silence that ends a turn, where the client leaves it to the server: a pause within a sentence is
# longer than server_vad's 0.5 s now and then.
EAGERNESS_S = {"high": 0.8, "medium": 1.2, "auto": 1.2, "low": 2.0}
ITEM = "conversation.item"
TRANSCRIPT = f"{ITEM}.input_audio_transcription"
BUFFER = "input_audio_buffer"


def live_options(session: TranscriptionSession, glossary: Glossary | None = None) -> LiveOptions:
    """Return what a session object asks of the live session, with the glossary that it names."""
    asked = session.hearing
    prompt = ", ".join(filter(None, [asked.prompt, *(asked.keywords or ())]))
    return LiveOptions(
        language=asked.language,
        languages=tuple(asked.languages or ()),
        prompt=prompt or None,
        turns=_turns(session.audio.input.turn_detection),
        delay=asked.delay or "medium",
        recogniser=named_model(asked.model),
        glossary=glossary,
    )


def _turns(asked: ServerVad | SemanticVad | None) -> VadTurns | None:
    if asked is None:
        return None
    if isinstance(asked, SemanticVad):
        return VadTurns(silence_s=EAGERNESS_S[asked.eagerness])
    idle_ms = asked.idle_timeout_ms
    return VadTurns(
        asked.threshold,
        asked.prefix_padding_ms / 1000,
        asked.silence_duration_ms / 1000,
        None if idle_ms is None else idle_ms / 1000,
    )


class TranscriptionDialogue:
    """One transcription session on the wire.

    Args:
        channel: to the client.
        opened: the live session.
        asked: the session object so far.
    """

    def __init__(self, channel: Channel, opened: Opened, asked: TranscriptionSession) -> None:
        self._channel, self._opened, self._asked = channel, opened, asked
        self._session = opened.session
        self._own = OwnEvents(channel, opened.session.lag_s, is_on=asked.dragoman.events)
        self._id = secrets.token_hex(8)
        self._committed: str | None = None  # the item before
        self._next_turn = 0
        self._cleared = asyncio.Event()

    def begin(self) -> None:
        self._channel.tell("session.created", session=self._shown())

    def end(self) -> None:
        """Tell nothing: this protocol has no last event."""

    # ---- the client's events -------------------------------------------------------------

    async def take(self, event: ClientEvent) -> None:
        handlers = {
            "session.update": self._update,
            f"{BUFFER}.append": self._append,
            f"{BUFFER}.commit": self._commit,
            f"{BUFFER}.clear": self._clear,
        }
        handle = handlers.get(event.type)
        if handle is None:
            kinds = ", ".join(handlers)
            message = f"a transcription session takes {kinds}, not {event.type[:80]}"
            raise InvalidRequest(message, param="type")
        await handle(event.fields)

    async def _update(self, fields: Mapping[str, Any]) -> None:
        asked = updated(self._asked, fields.get("session"))
        self._opened.check_model(asked.hearing.model)
        glossary = await self._opened.find_glossary(asked.glossary)
        await self._opened.update(live_options(asked, glossary), asked.dragoman.name)
        self._asked, self._own.is_on = asked, asked.dragoman.events
        self._channel.tell("session.updated", session=self._shown())

    async def _append(self, fields: dict[str, Any]) -> None:
        encoding = self._asked.audio.input.format.type
        samples = await samples_of(fields.pop("audio", None), encoding)  # it is let go of
        await hear(self._session, samples, rate_of(encoding))

    async def _commit(self, fields: Mapping[str, Any]) -> None:
        self._session.commit()

    async def _clear(self, fields: Mapping[str, Any]) -> None:
        self._cleared.clear()
        self._session.clear()
        await self._cleared.wait()  # so that it is told before what comes next is answered

    # ---- the session's events ------------------------------------------------------------

    def show(self, event: Event) -> None:
        match event:
            case SpeechStarted():
                self._at(event.turn, f"{BUFFER}.speech_started", audio_start_ms=ms(event.at_s))
            case SpeechStopped():
                self._at(event.turn, f"{BUFFER}.speech_stopped", audio_end_ms=ms(event.at_s))
            case TurnCommitted():
                self._committed_turn(event)
            case TranscriptDelta() if self._transcribes:
                self._at(event.turn, f"{TRANSCRIPT}.delta", content_index=0, delta=event.text)
            case TurnDone() if self._transcribes:
                self._done(event)
            case TurnFailed() if self._transcribes:
                error = error_body(event.error)["error"]
                self._at(event.turn, f"{TRANSCRIPT}.failed", content_index=0, error=error)
            case Cleared():
                self._channel.tell(f"{BUFFER}.cleared")
                self._cleared.set()
            case IdleTimeout():
                self._at(
                    self._next_turn,
                    f"{BUFFER}.timeout_triggered",
                    audio_start_ms=ms(event.start_s),
                    audio_end_ms=ms(event.end_s),
                )
            case TranscriptPartial() if self._transcribes and self._asked.dragoman.events:
                self._at(event.turn, f"{TRANSCRIPT}.partial", content_index=0, text=event.text)
        if not isinstance(event, SpeechStarted | SpeechStopped):  # the protocol has them
            self._own.show(event)

    def _committed_turn(self, event: TurnCommitted) -> None:
        previous, item_id = self._committed, self._item(event.turn)
        self._committed, self._next_turn = item_id, event.turn + 1
        self._channel.tell(f"{BUFFER}.committed", item_id=item_id, previous_item_id=previous)
        item = {
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        for name in (f"{ITEM}.added", f"{ITEM}.done"):
            self._channel.tell(name, previous_item_id=previous, item=item)

    def _done(self, event: TurnDone) -> None:
        known = event.language and event.language != UNDETERMINED
        own: dict[str, Any] = {}
        if self._asked.dragoman.events:
            own = own_events.turn(event)
        self._at(
            event.turn,
            f"{TRANSCRIPT}.completed",
            content_index=0,
            transcript=event.text,
            languages=[{"code": event.language}] if known else [],
            usage={"type": "duration", "seconds": round(event.end_s - event.start_s, 3)},
            **own,
        )

    @property
    def _transcribes(self) -> bool:
        return self._asked.audio.input.transcription is not None

    def _at(self, turn: int, kind: str, **fields: Any) -> None:
        self._channel.tell(kind, item_id=self._item(turn), **fields)

    def _item(self, turn: int) -> str:
        return f"item_{self._id}_{turn}"

    def _shown(self) -> dict[str, Any]:
        at = self._opened
        return shown.transcription(self._asked, at.session.id, at.expires_at, at.session.name)
