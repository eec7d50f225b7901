"""Live events as answers of a stream: outputs of the model, with parameters that name the event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from deployments.config.names import GRAPH
from deployments.grpc.errors import message_of
from deployments.grpc.infer_response import Parameters, Value, in_stream, refusal, render
from deployments.inference.rows import audio_tensors, text_tensor
from deployments.inference.tensors import InferRequest, Tensor
from deployments.live.events import (
    Closed,
    Event,
    Lost,
    Notice,
    SentenceDone,
    SpeechDelta,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
    TranscriptPartial,
    TranslationDelta,
    TurnDone,
    TurnFailed,
)
from models.errors import DragomanError

SEQUENCE_ID, FINAL = "sequence_id", "triton_final_response"
SequenceId: TypeAlias = int | str
_Told: TypeAlias = tuple[str, Sequence[Tensor], dict[str, Value]]  # event, outputs, more


class Teller:
    """Write the events of one sequence.

    Args:
        sequence: its id.
        request: the id of the request that it began with.
    """

    def __init__(self, sequence: SequenceId, request: str) -> None:
        self._sequence, self._request = sequence, request

    def answer(self, event: Event) -> bytes | None:
        """Return an event as an answer of the stream; None: it tells a caller nothing."""
        if isinstance(event, Closed):
            return self.closed(event.error)
        if isinstance(event, TurnFailed | Lost):
            told = self._parameters("error", final=False)
            return refusal(GRAPH, self._request, message_of(event.error), dict(told))
        found = _told(event)
        if found is None:
            return None
        kind, outputs, more = found
        return self._written(self._parameters(kind, final=False, **more), outputs)

    def closed(self, error: DragomanError | None) -> bytes:
        """Return the last answer of a sequence, with why it ended before its caller ended it."""
        told = self._parameters("closed", final=True)
        if error is None:
            return self._written(told, ())
        return refusal(GRAPH, self._request, message_of(error), dict(told))

    def _parameters(self, kind: str, *, final: bool, **more: Value) -> Parameters:
        own = {"event": kind, SEQUENCE_ID: self._sequence, FINAL: final}
        return tuple({**own, **more}.items())

    def _written(self, parameters: Parameters, outputs: Sequence[Tensor]) -> bytes:
        request = InferRequest(self._request, {}, {}, None, binary_data_output=True)
        return in_stream(render(GRAPH, request, outputs, parameters))


def _told(event: Event) -> _Told | None:
    match event:
        case SpeechStarted() | SpeechStopped():
            kind = "speech_started" if isinstance(event, SpeechStarted) else "speech_stopped"
            return kind, (), {"turn": event.turn, "at_s": event.at_s}
        case TranscriptPartial():
            heard = [text_tensor("TRANSCRIPT", [event.text])]
            return "transcript_partial", heard, {"turn": event.turn, "end_s": event.end_s}
        case TranscriptDelta():
            return "transcript", _heard(event.text, event.language), _times(event, event.turn)
        case TurnDone():
            return "turn", _heard(event.text, event.language), _times(event, event.turn)
        case TranslationDelta():
            said = [text_tensor("TRANSLATION", [event.text])]
            return "translation", said, {**_times(event), "language": event.target}
        case SentenceDone():
            outputs = [
                *_heard(event.source_text, event.source_language),
                text_tensor("TRANSLATION", [event.text]),
            ]
            return "sentence", outputs, {**_times(event), "language": event.target}
        case SpeechDelta():
            more = {**_times(event), "language": event.target, "speed": event.speed}
            return "speech", audio_tensors([event.audio]), more
        case Notice():
            return "notice", (), {"code": event.code, "message": event.message}
    return None


def _heard(text: str, language: str) -> list[Tensor]:
    return [text_tensor("TRANSCRIPT", [text]), text_tensor("LANGUAGE", [language])]


def _times(
    event: TranscriptDelta | TurnDone | TranslationDelta | SentenceDone | SpeechDelta,
    turn: int | None = None,
) -> dict[str, Value]:
    of_turn = {} if turn is None else {"turn": turn}
    return {**of_turn, "start_s": float(event.start_s), "end_s": float(event.end_s)}
