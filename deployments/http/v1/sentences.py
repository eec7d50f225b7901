"""A sentence of a speech translation, as JSON has it."""

from __future__ import annotations

from typing import Any

from deployments.graph.sentences import Sentence
from deployments.http.parsing import warnings_json


def sentence_json(number: int, sentence: Sentence) -> dict[str, Any]:
    """Show a sentence; its speaker and its place where those are known."""
    speaker = {} if sentence.speaker is None else {"speaker": sentence.speaker}
    row = {
        "id": number,
        "start_s": sentence.start_s,
        "end_s": sentence.end_s,
        "text": sentence.text,
        "translation": sentence.translation,
        "language": sentence.language,
        "avg_logprob": round(sentence.avg_logprob, 4),
        "no_speech_prob": round(sentence.no_speech_prob, 4),
        "warnings": warnings_json(sentence.warnings),
        **speaker,
    }
    if (place := sentence.place) is not None:
        row["placed"] = {
            "start": round(place.start_s, 3),
            "end": round(place.end_s, 3),
            "speed": round(place.speed, 3),
        }
    return row
