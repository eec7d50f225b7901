"""The operations that make voices of one's own, and the consents that they need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, Field

from deployments.http.openapi.operations import (
    BYTES,
    FILE,
    FORM,
    JSON,
    WORK,
    Answer,
    Form,
    Operation,
    Route,
)
from deployments.http.parsing import IGNORED_HEADER
from deployments.http.v1.own_voices import SAMPLE_FIELD, SAMPLE_TYPES, VoiceFields
from deployments.http.v1.voice_consents import ConsentFields, NewNameFields

TAG = "Voices"
CALL = ("Timeout", "Priority")
CONSENTS = "/v1/audio/voice_consents"


class OwnVoice(BaseModel):
    """A voice that the caller keeps (OpenAI's ``Voice``)."""

    id: str
    object: Literal["audio.voice"]
    type: Literal["audio_sample"]
    name: str
    created_at: int
    expires_at: int | None = Field(description="after which it is deleted")


class DeletedVoice(BaseModel):
    """A voice is gone."""

    id: str
    object: Literal["audio.voice.deleted"]
    deleted: Literal[True]


class Consent(BaseModel):
    """A recording in which somebody allows a copy of their voice (OpenAI's ``VoiceConsent``)."""

    id: str
    object: Literal["audio.voice_consent"]
    name: str
    language: str
    created_at: int
    expires_at: int | None = Field(description="after which it is deleted")


class Consents(BaseModel):
    """A page of consents, the newest first."""

    object: Literal["list"]
    data: list[Consent]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedConsent(BaseModel):
    """A consent is gone."""

    id: str
    object: Literal["audio.voice_consent"]
    deleted: Literal[True]


class ConsentText(BaseModel):
    """A text that must be read aloud."""

    language: str
    text: str


class ConsentTexts(BaseModel):
    """The texts that must be read aloud, by language."""

    object: Literal["list"]
    data: list[ConsentText]


OPERATIONS: Mapping[Route, Operation] = {
    ("POST", "/v1/audio/voices"): Operation(
        "make_voice",
        TAG,
        "Make a voice of one's own (OpenAI's endpoint)",
        {200: Answer("The voice.", {JSON: OwnVoice}, (*WORK, IGNORED_HEADER))},
        {
            FORM: Form(
                VoiceFields,
                {SAMPLE_FIELD: {**FILE, "description": "At least 3 s of the voice alone."}},
                (SAMPLE_FIELD,),
            )
        },
        parameters=CALL,
        errors=(404, 415, 422),
    ),
    ("DELETE", "/v1/audio/voices/{id}"): Operation(
        "delete_voice",
        TAG,
        "Delete a voice of one's own (OpenAI's endpoint)",
        {200: Answer("It is gone.", {JSON: DeletedVoice})},
        parameters=("VoiceId",),
        errors=(404, 422),
    ),
    ("GET", "/v1/audio/voices/{id}/sample"): Operation(
        "export_voice",
        TAG,
        "Send the sample that a voice was made from, as it was uploaded",
        {
            200: Answer(
                "The file.",
                {**dict.fromkeys(SAMPLE_TYPES.values(), FILE), BYTES: FILE},
            )
        },
        parameters=("VoiceId",),
        errors=(404, 422),
    ),
    ("GET", "/v1/audio/consent_texts"): Operation(
        "list_consent_texts",
        TAG,
        "List what must be read aloud to consent to a copy of one's voice",
        {200: Answer("The texts.", {JSON: ConsentTexts})},
    ),
    ("POST", CONSENTS): Operation(
        "make_consent",
        TAG,
        "Keep a recording of consent (OpenAI's endpoint)",
        {200: Answer("The consent.", {JSON: Consent}, (*WORK, IGNORED_HEADER))},
        {
            FORM: Form(
                ConsentFields,
                {"recording": {**FILE, "description": "The text of consent, read aloud."}},
                ("recording",),
            )
        },
        parameters=CALL,
        errors=(404, 415, 422),
    ),
    ("GET", CONSENTS): Operation(
        "list_consents",
        TAG,
        "List one's consents (OpenAI's endpoint)",
        {200: Answer("The consents.", {JSON: Consents})},
        parameters=("After", "PageLimit"),
        errors=(422,),
    ),
    ("GET", f"{CONSENTS}/{{id}}"): Operation(
        "show_consent",
        TAG,
        "Show a consent (OpenAI's endpoint)",
        {200: Answer("The consent.", {JSON: Consent})},
        parameters=("ConsentId",),
        errors=(404, 422),
    ),
    ("POST", f"{CONSENTS}/{{id}}"): Operation(
        "rename_consent",
        TAG,
        "Give a consent another name (OpenAI's endpoint)",
        {200: Answer("The consent.", {JSON: Consent}, (IGNORED_HEADER,))},
        {JSON: NewNameFields},
        parameters=("ConsentId",),
        errors=(404, 422),
    ),
    ("DELETE", f"{CONSENTS}/{{id}}"): Operation(
        "delete_consent",
        TAG,
        "Delete a consent, and the voices that were made with it (OpenAI's endpoint)",
        {200: Answer("They are gone.", {JSON: DeletedConsent})},
        parameters=("ConsentId",),
        errors=(404, 422),
    ),
}
