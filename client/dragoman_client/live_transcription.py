"""Speak the realtime protocol of transcription."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from .live_protocol import LiveProtocol, Message
from .live_types import (
    RATE_HZ,
    Closed,
    LiveEvent,
    LiveOptions,
    PartialText,
    SpeechEnd,
    SpeechStart,
    TranscriptText,
    TurnEnd,
)

PATH = "/v1/realtime"
FINISH_ID = "finish"  # of the commit that ends a transcription


class Transcription(LiveProtocol):
    """``/v1/realtime?intent=transcription``: speech in, its text out, turn by turn.

    The protocol has no closing event. It is over once the last commit and the ``clear`` behind it
    are answered and every turn is whole.
    """

    path = PATH

    def __init__(self, options: LiveOptions) -> None:
        super().__init__(options)
        self._open: set[str] = set()  # turns that are committed and not yet whole
        self._times: dict[str, tuple[float | None, float | None]] = {}
        self._is_finishing = False
        self._is_answered = False  # the commit that ends it
        self._is_cleared = False

    def query(self) -> dict[str, str]:
        return {"intent": "transcription", **super().query()}

    def update(self) -> Message | None:
        options = self.options
        how: Message = {}
        if options.source_language is not None:
            how["language"] = options.source_language
        if options.languages:
            how["languages"] = list(options.languages)
        if options.delay is not None:
            how["delay"] = options.delay
        given = {"format": {"type": "audio/pcm", "rate": RATE_HZ}, "transcription": how}
        session: Message = {"type": "transcription", "audio": {"input": given}}
        if options.glossary is not None:
            session["glossary"] = options.glossary
        return {"type": "session.update", "session": session}

    def append(self, pcm: bytes) -> Message:
        return {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()}

    def finish(self) -> Sequence[Message]:
        self._is_finishing = True
        commit = {"type": "input_audio_buffer.commit", "event_id": FINISH_ID}
        return [commit, {"type": "input_audio_buffer.clear"}]

    def _problem(self, error: Message) -> list[LiveEvent]:
        if error.get("event_id") == FINISH_ID:  # there was nothing left to commit
            self._is_answered = True
            return self._closed()
        return super()._problem(error)

    def _events(self, kind: str, message: Message) -> list[LiveEvent]:
        item = message.get("item_id", "")
        match kind:
            case "input_audio_buffer.speech_started":
                at_s = message["audio_start_ms"] / 1000
                self._times[item] = (at_s, None)
                return [SpeechStart(at_s)]
            case "input_audio_buffer.speech_stopped":
                at_s = message["audio_end_ms"] / 1000
                self._times[item] = (self._times.get(item, (None, None))[0], at_s)
                return [SpeechEnd(at_s)]
            case "input_audio_buffer.committed":
                self._open.add(item)
                self._is_answered = self._is_finishing
            case "input_audio_buffer.cleared":
                self._is_cleared = True
                return self._closed()
            case "conversation.item.input_audio_transcription.delta":
                self._heard(message["delta"], None)
                return [TranscriptText(message["delta"])]
            case "conversation.item.input_audio_transcription.partial":
                return [PartialText(message["text"])]
            case "conversation.item.input_audio_transcription.completed":
                return [self._turn(item, message), *self._closed(item)]
            case "conversation.item.input_audio_transcription.failed":
                return [*super()._problem(message.get("error") or {}), *self._closed(item)]
        return []

    def _turn(self, item: str, message: Message) -> LiveEvent:
        start_s, end_s = self._times.pop(item, (None, None))
        self._answered(self.sent_s if end_s is None else end_s)
        codes = [each.get("code") for each in message.get("languages") or ()]
        return TurnEnd(message["transcript"], codes[0] if codes else None, start_s, end_s)

    def _closed(self, item: str = "") -> list[LiveEvent]:
        """Forget a turn that is whole; the last one after the flush ends the session."""
        self._open.discard(item)
        if self._open or not (self._is_answered and self._is_cleared):
            return []
        self.is_closed = True
        return [Closed()]
