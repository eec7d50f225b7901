"""Make voices of one's own at ``/v1/audio/voices``, get their samples back, and delete them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.config.schema import Limits
from deployments.http.own_voices import OwnVoices, unknown_voice
from deployments.http.parsing import (
    ForgivingFields,
    Text,
    blaming,
    context_of,
    form_parts,
    json_fields,
    naming_ignored,
    timed,
)
from deployments.http.v1.voice_consents import Name
from deployments.http.v1.voice_recordings import VoiceRecordings
from deployments.library.consents import Consents
from deployments.library.voices import KeptVoice
from models.audio.formats import recognise
from models.errors import InvalidRequest, NotFound

SAMPLE_FIELD = "audio_sample"
NO_PROMPTS = (
    "must be audio_sample: no model here makes a voice from a description (prompt); send a "
    "recording of the voice, with the consent of whoever speaks"
)
ANY_BYTES = "application/octet-stream"
SAMPLE_TYPES: Mapping[str, str] = {  # by the name of a container
    "WAV": "audio/wav",
    "FLAC": "audio/flac",
    "MP3": "audio/mpeg",
    "AAC": "audio/aac",
    "Ogg": "audio/ogg",
    "MP4": "audio/mp4",
    "Matroska": "audio/webm",
}


def _no_prompt(kind: Any) -> Any:
    if kind == "prompt":
        raise ValueError(NO_PROMPTS)
    return kind


class VoiceFields(ForgivingFields):
    type: Annotated[Literal["audio_sample"], BeforeValidator(_no_prompt)] = "audio_sample"
    name: Name
    consent: Annotated[Text, Field(min_length=1, max_length=100)]


class OwnVoiceRoutes:
    """Keep voices whose samples were heard: of one person, the one who reads the consent."""

    def __init__(self, recordings: VoiceRecordings, own: OwnVoices, limits: Limits) -> None:
        self._recordings, self._own, self._limits = recordings, own, limits

    def routes(self) -> list[Route]:
        """Return the paths that make, export and delete voices."""
        return [
            Route("/v1/audio/voices", self.create, methods=["POST"]),
            Route("/v1/audio/voices/{id}", self.delete, methods=["DELETE"]),
            Route("/v1/audio/voices/{id}/sample", self.sample, methods=["GET"]),
        ]

    async def create(self, request: Request) -> Response:
        """Make a voice from a sample and a consent."""
        context = context_of(request, self._limits)
        if request.headers.get("content-type", "").startswith("application/json"):
            await json_fields(request, VoiceFields, self._limits)
            message = f"{SAMPLE_FIELD} is required: a file in a form (multipart/form-data)"
            raise InvalidRequest(message, param=SAMPLE_FIELD)
        fields, (files,) = await form_parts(request, VoiceFields, (SAMPLE_FIELD,), max_files=1)
        consents = self._own.consents_of(request.scope)
        self._recordings.check_can_copy()
        recorded = await _recording_of(consents, fields.consent)
        sample = await self._recordings.listen(files[0], SAMPLE_FIELD, context)
        consent = await self._recordings.listen(recorded, "consent", context)
        self._recordings.check_same_voice(consent, sample)
        voices = self._own.voices_of(request.scope)

        def keep() -> KeptVoice:
            kept = voices.add(fields.name, fields.consent, files[0], sample.clip())
            try:
                consents.prolong(fields.consent)
            except NotFound:  # withdrawn meanwhile, and so is the voice
                with suppress(NotFound):
                    voices.delete(kept.id)
                raise
            return kept

        with blaming("id", "consent"):
            voice = await asyncio.to_thread(keep)
        return naming_ignored(timed(JSONResponse(voice_json(voice)), context), fields)

    async def sample(self, request: Request) -> Response:
        """Send a voice's sample as it was uploaded."""
        id, voices = request.path_params["id"], self._own.voices_of(request.scope)
        try:
            data = await asyncio.to_thread(voices.sample, id)
        except NotFound as error:
            raise unknown_voice(id) from error
        kind = recognise(data)
        media_type = ANY_BYTES if kind is None else SAMPLE_TYPES.get(kind[0].name, ANY_BYTES)
        headers = {
            "content-disposition": f'attachment; filename="{id}"',
            "x-content-type-options": "nosniff",
        }
        return Response(data, headers=headers, media_type=media_type)

    async def delete(self, request: Request) -> Response:
        """Delete a voice for good."""
        id, voices = request.path_params["id"], self._own.voices_of(request.scope)
        try:
            await asyncio.to_thread(voices.delete, id)
        except NotFound as error:
            raise unknown_voice(id) from error
        return JSONResponse({"id": id, "object": "audio.voice.deleted", "deleted": True})


async def _recording_of(consents: Consents, id: str) -> bytes:
    """Return the recording of a consent. Raises NotFound, which names the field."""
    with blaming("id", "consent"):
        return await asyncio.to_thread(consents.recording, id)


def voice_json(voice: KeptVoice) -> dict[str, Any]:
    """Show a voice as OpenAI's ``Voice``."""
    return {
        "id": voice.id,
        "object": "audio.voice",
        "type": "audio_sample",
        "name": voice.name,
        "created_at": int(voice.created_at),
        "expires_at": None if voice.expires_at is None else int(voice.expires_at),
    }
