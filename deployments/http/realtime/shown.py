"""Session objects as the server shows them: whole, with what has no effect here said."""

from __future__ import annotations

from typing import Any

from deployments.http.glossary_fields import GlossaryFields
from deployments.http.realtime.session_fields import (
    InputTranscription,
    Own,
    Transcription,
    TranscriptionSession,
    TranslationSession,
)

NO_NOISE_REDUCTION = {
    "code": "noise_reduction_off",
    "message": "this server reduces no noise: the recogniser hears the audio as it is sent",
}
ANY_MODEL = "transcription"  # where the client leaves the choice to the server
Shown = dict[str, Any]


def transcription(
    asked: TranscriptionSession, session_id: str, expires_at: int, name: str | None = None
) -> Shown:
    """Return the whole effective session of a transcription."""
    given = asked.audio.input
    return {
        "id": session_id,
        "object": "realtime.transcription_session",
        "type": "transcription",
        "expires_at": expires_at,
        "include": asked.include,
        "audio": {
            "input": {
                "format": given.format.model_dump(),
                "transcription": _transcription(given.transcription),
                "turn_detection": given.turn_detection
                and given.turn_detection.model_dump(exclude_none=True),
                "noise_reduction": None,
            }
        },
        **_glossary(asked.glossary),
        **_warnings(reduces_noise=given.noise_reduction is not None),
        **_own(asked.dragoman, name),
    }


def translation(
    asked: TranslationSession, session_id: str, expires_at: int, name: str | None = None
) -> Shown:
    """Return the whole effective session of a translation."""
    given, output = asked.audio.input, asked.audio.output
    return {
        "id": session_id,
        "type": "translation",
        "model": asked.model or "translation",
        "expires_at": expires_at,
        "audio": {
            "input": {
                **given.model_dump(exclude_none=True),
                "transcription": _transcription(given.transcription),
                "noise_reduction": None,
            },
            "output": {"language": None, **output.model_dump(exclude_defaults=True)},
        },
        **_glossary(asked.glossary),
        **_warnings(reduces_noise=given.noise_reduction is not None),
        **_own(asked.dragoman, name),
    }


def _transcription(given: Transcription | InputTranscription | None) -> Shown | None:
    if given is None:
        return None
    return {"model": ANY_MODEL, **given.model_dump(exclude_none=True)}


def _glossary(asked: str | GlossaryFields | None) -> Shown:
    """Show the id of a glossary, or the name of one that came with the session."""
    if asked is None:
        return {}
    return {"glossary": asked if isinstance(asked, str) else {"name": asked.name}}


def _warnings(*, reduces_noise: bool) -> Shown:
    return {"warnings": [NO_NOISE_REDUCTION]} if reduces_noise else {}


def _own(asked: Own, name: str | None) -> Shown:
    if not asked.events and name is None:
        return {}
    return {"dragoman": {"events": asked.events, "name": name}}
