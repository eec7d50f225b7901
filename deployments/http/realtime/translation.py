"""OpenAI's translation session: ``WS /v1/realtime/translations``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from deployments.http.parsing import blaming
from deployments.http.realtime import own_events, shown
from deployments.http.realtime.channel import Channel, ClientEvent
from deployments.http.realtime.conversation import hear, in_background
from deployments.http.realtime.opened import Opened, named_model
from deployments.http.realtime.own_events import OwnEvents, Tells
from deployments.http.realtime.session_fields import TranslationSession, updated
from deployments.http.realtime.sound import RATE_HZ, pieces_of, samples_of
from deployments.live.events import (
    Event,
    Lost,
    SentenceDone,
    SpeechDelta,
    TranscriptDelta,
    TranscriptPartial,
    TranslationDelta,
    TurnDone,
    TurnFailed,
)
from deployments.live.options import LiveOptions
from models.asr.decoding import UNSPACED_LANGUAGES
from models.errors import InvalidRequest
from models.text.glossary import Glossary

FRAME_MS = 200  # the protocol's steps of time
LANGUAGE = "session.audio.output.language"
INPUT, OUTPUT = "session.input_transcript", "session.output_transcript"
AUDIO = "session.output_audio.delta"
PCM16 = {"sample_rate": RATE_HZ, "channels": 1, "format": "pcm16"}


def live_options(session: TranslationSession, glossary: Glossary | None = None) -> LiveOptions:
    """Return what a session object asks of the live session, with the glossary that it names."""
    given, output = session.audio.input, session.audio.output
    return LiveOptions(
        language=given.language,
        languages=tuple(given.languages or ()),
        delay=given.delay or "medium",
        targets=targets_of(session),
        speaks=not output.text_only,
        voice=output.voice,
        recogniser=named_model(session.model),
        glossary=glossary,
    )


def targets_of(session: TranslationSession) -> tuple[str, ...]:
    """Return the languages that a session is translated to, each once."""
    output = session.audio.output
    named = [output.language] if output.language else []
    return tuple(dict.fromkeys([*named, *(output.languages or ())]))


def elapsed_ms(place_s: float) -> int:
    """Return a place in the source as the protocol has it: the end of its frame."""
    return math.ceil(round(place_s * 1000) / FRAME_MS) * FRAME_MS


class Writer:
    """Write what a session tells, as events of a translation, to one reader.

    Attributes:
        has_input: whether the reader gets what was said, too.
        names_language: whether each event says its language: there are several.
        own: writes what the protocol has no event for.
    """

    def __init__(
        self, to: Tells, own: OwnEvents, *, has_input: bool, names_language: bool = False
    ) -> None:
        self._to, self.own = to, own
        self.has_input, self.names_language = has_input, names_language
        self._turn: int | None = None  # whose words were written last
        self._said: set[str] = set()  # languages that were written

    def show(self, event: Event) -> None:
        """Write an event; those that the reader has not asked for are left out."""
        match event:
            case TranscriptDelta() if self.has_input:
                self._input(event)
            case TranslationDelta():
                self._output(f"{OUTPUT}.delta", event, delta=f"{self._gap(event)}{event.text}")
            case SpeechDelta():
                for piece in pieces_of(event.audio):
                    self._output(AUDIO, event, delta=piece, **PCM16)
            case TranscriptPartial() if self.own.is_on:
                place = elapsed_ms(event.end_s)
                self._to.tell(f"{INPUT}.partial", text=event.text, elapsed_ms=place)
            case TurnDone() if self.own.is_on:
                self._to.tell(f"{INPUT}.done", text=event.text, **own_events.turn(event))
            case SentenceDone() if self.own.is_on:
                self._to.tell(f"{OUTPUT}.done", **own_events.sentence(event))
        self.own.show(event)

    def _input(self, event: TranscriptDelta) -> None:
        """Write words; a space is between two turns, whose texts have none at their ends."""
        is_next = self._turn is not None and event.turn != self._turn
        gap = " " if is_next and event.language not in UNSPACED_LANGUAGES else ""
        self._turn = event.turn
        place, own = elapsed_ms(event.end_s), {"language": event.language}
        self._to.tell(f"{INPUT}.delta", delta=f"{gap}{event.text}", elapsed_ms=place, **own)

    def _gap(self, event: TranslationDelta) -> str:
        """Return the space behind another language, or behind the same one that comes again."""
        is_next = event.target in self._said if self.names_language else bool(self._said)
        self._said.add(event.target)
        has_gap = event.text[:1] == " " or event.target in UNSPACED_LANGUAGES
        return " " if is_next and not has_gap else ""

    def _output(self, kind: str, event: TranslationDelta | SpeechDelta, **fields: Any) -> None:
        own = {"language": event.target} if self.names_language else {}
        self._to.tell(kind, **fields, elapsed_ms=elapsed_ms(event.end_s), **own)


class TranslationDialogue:
    """One translation session on the wire.

    Args:
        channel: to the client.
        opened: the live session.
        asked: the session object so far.
    """

    def __init__(self, channel: Channel, opened: Opened, asked: TranslationSession) -> None:
        self._channel, self._opened, self._asked = channel, opened, asked
        self._session = opened.session
        own = OwnEvents(channel, opened.session.lag_s, is_on=asked.dragoman.events)
        self._writer = Writer(channel, own, has_input=False)
        self._settle()
        self._is_closing = False

    def begin(self) -> None:
        self._channel.tell("session.created", session=self._shown())

    def end(self) -> None:
        self._channel.tell("session.closed")

    # ---- the client's events -------------------------------------------------------------

    async def take(self, event: ClientEvent) -> None:
        if event.type == "session.update":
            await self._update(event.fields)
        elif event.type == "session.input_audio_buffer.append":
            await self._append(event.fields)
        elif event.type != "session.close":
            message = (
                "a translation session takes session.update, session.input_audio_buffer.append "
                f"and session.close, not {event.type[:80]}"
            )
            raise InvalidRequest(message, param="type")
        elif not self._is_closing:
            self._is_closing = True
            in_background(self._session.finish())

    async def _update(self, fields: Mapping[str, Any]) -> None:
        asked = updated(self._asked, fields.get("session"))
        if asked.model != self._asked.model:
            raise InvalidRequest("session.model cannot change", param="session.model")
        transcription = asked.audio.input.transcription
        self._opened.check_model(None if transcription is None else transcription.model)
        glossary = await self._opened.find_glossary(asked.glossary)
        with blaming("target_language", LANGUAGE), blaming("voice", "session.audio.output.voice"):
            await self._opened.update(live_options(asked, glossary), asked.dragoman.name)
        self._asked = asked
        self._settle()
        self._channel.tell("session.updated", session=self._shown())

    def _settle(self) -> None:
        """Write from now on what the session object asks for."""
        self._writer.own.is_on = self._asked.dragoman.events
        self._writer.has_input = self._asked.audio.input.transcription is not None
        self._writer.names_language = len(targets_of(self._asked)) > 1

    async def _append(self, fields: dict[str, Any]) -> None:
        samples = await samples_of(fields.pop("audio", None))  # it may be long, and is let go of
        if not targets_of(self._asked):
            message = f"{LANGUAGE} must be set before audio is sent"
            raise InvalidRequest(message, param=LANGUAGE)
        await hear(self._session, samples, RATE_HZ)

    # ---- the session's events ------------------------------------------------------------

    def show(self, event: Event) -> None:
        if isinstance(event, TurnFailed | Lost):
            self._channel.refuse(event.error, None)
        else:
            self._writer.show(event)

    def _shown(self) -> dict[str, Any]:
        at = self._opened
        return shown.translation(self._asked, at.session.id, at.expires_at, at.session.name)
