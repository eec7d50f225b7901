"""Speak the realtime protocol of translation, and that of listeners to it."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from .live_protocol import LiveProtocol, Message, seconds
from .live_types import (
    RATE_HZ,
    Closed,
    LiveEvent,
    LiveOptions,
    PartialText,
    SentenceEnd,
    TranscriptText,
    TranslatedSpeech,
    TranslatedText,
    TurnEnd,
)

PATH = "/v1/realtime/translations"


class Translation(LiveProtocol):
    """``/v1/realtime/translations``: speech in, text and speech of other languages out."""

    path = PATH

    def __init__(self, options: LiveOptions) -> None:
        super().__init__(options)
        self._places: dict[str, float] = dict.fromkeys(options.to, 0.0)

    def query(self) -> dict[str, str]:
        options = self.options
        asked = {"model": "translation", "to": ",".join(options.to), **super().query()}
        if options.text_only:
            asked["text_only"] = "true"
        if options.voice is not None:
            asked["voice"] = options.voice
        return asked

    def update(self) -> Message | None:
        options = self.options
        output: Message = {"language": options.to[0], "text_only": options.text_only}
        if len(options.to) > 1:
            output["languages"] = list(options.to)
        if options.voice is not None:
            output["voice"] = options.voice
        given: Message = {"transcription": {}}  # tell what was said, too
        if options.delay is not None:
            given["delay"] = options.delay
        if options.source_language is not None:
            given["language"] = options.source_language
        if options.languages:
            given["languages"] = list(options.languages)
        session: Message = {"audio": {"input": given, "output": output}}
        if options.glossary is not None:
            session["glossary"] = options.glossary
        return {"type": "session.update", "session": session}

    def append(self, pcm: bytes) -> Message:
        audio = base64.b64encode(pcm).decode()
        return {"type": "session.input_audio_buffer.append", "audio": audio}

    def finish(self) -> Sequence[Message]:
        return [{"type": "session.close"}]

    def _events(self, kind: str, message: Message) -> list[LiveEvent]:
        end_s = seconds(message.get("elapsed_ms"))
        language = message.get("language")
        match kind:
            case "session.input_transcript.delta":
                self._heard(message["delta"], end_s)
                return [TranscriptText(message["delta"], end_s, language)]
            case "session.input_transcript.partial":
                return [PartialText(message["text"], end_s)]
            case "session.input_transcript.done":
                return [_turn(message, language)]
            case "session.output_transcript.delta":
                return [self._translated(message["delta"], self._target(language), end_s)]
            case "session.output_audio.delta":
                pcm = base64.b64decode(message["delta"])
                rate_hz = message.get("sample_rate") or RATE_HZ
                return [TranslatedSpeech(pcm, rate_hz, self._target(language), end_s)]
            case "session.output_transcript.done":
                return [self._sentence(message)]
            case "session.closed":
                self.is_closed = True
                return [Closed()]
        return []

    def _target(self, language: str | None) -> str | None:
        """Name the language of an output: the server may leave out the only one."""
        return language if language or len(self.options.to) != 1 else self.options.to[0]

    def _translated(self, text: str, language: str | None, end_s: float | None) -> LiveEvent:
        """Note the place up to which every language is translated."""
        if end_s is not None and language is not None:
            self._places[language] = max(end_s, self._places.get(language, 0.0))
            self._answered(min(self._places.values()))
        return TranslatedText(text, language, end_s)

    def _sentence(self, message: Message) -> LiveEvent:
        return SentenceEnd(
            message["text"],
            message.get("source_text", ""),
            self._target(message.get("language")),
            message.get("source_language"),
            seconds(message.get("start_ms")),
            seconds(message.get("end_ms")),
        )


class Following(Translation):
    """Another caller's session by its name, in a language of one's own: nothing is sent."""

    def query(self) -> dict[str, str]:
        asked = {"follow": self.options.name or "", "language": self.options.to[0]}
        if self.options.text_only:
            asked["text_only"] = "true"
        return {**asked, "dragoman_events": "true"} if self.options.extras else asked

    def update(self) -> Message | None:
        return None


def _turn(message: Message, language: str | None) -> TurnEnd:
    times_s = (seconds(message.get("start_ms")), seconds(message.get("end_ms")))
    return TurnEnd(message["text"], language, *times_s)
