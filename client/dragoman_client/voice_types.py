"""Define what the client returns of voices of one's own, and of who speaks in a recording."""

from __future__ import annotations

from .answer import Answer


class OwnVoice(Answer, frozen=True, kw_only=True):
    """A voice that you keep at the server; its ``id`` is what ``voice`` may name."""

    id: str
    name: str
    created_at: int  # seconds since the epoch
    expires_at: int | None = None  # after which the server deletes it


class VoiceConsent(Answer, frozen=True, kw_only=True):
    """A recording in which somebody allows a copy of their voice."""

    id: str
    name: str
    language: str
    created_at: int  # seconds since the epoch
    expires_at: int | None = None  # after which the server deletes it


class SpeakerVoice(Answer, frozen=True):
    """One who speaks in a recording, and how alike the voice is that speaks for them."""

    speaker: str  # A, B, and so on
    seconds: float  # of their speech
    voice_similarity: float | None = None  # cosine of the two voices
