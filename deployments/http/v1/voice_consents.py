"""``/v1/audio/voice_consents``: recordings in which people allow a copy of their voice."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.config.schema import Limits
from deployments.http.own_voices import OwnVoices
from deployments.http.parsing import (
    ForgivingFields,
    Text,
    context_of,
    form_parts,
    json_fields,
    naming_ignored,
    timed,
)
from deployments.http.v1.voice_recordings import VoiceRecordings
from deployments.http.visible_text import VisibleText
from deployments.library.consents import Consent
from models.errors import InvalidRequest

CONSENTS = "/v1/audio/voice_consents"
MAX_NAME_CHARS, MAX_TAG_CHARS = 100, 40
MOST_LISTED, LISTED = 100, 20
Name = Annotated[VisibleText, Field(min_length=1, max_length=MAX_NAME_CHARS)]


class ConsentFields(ForgivingFields):
    name: Name
    language: Annotated[Text, Field(max_length=MAX_TAG_CHARS)]


class NewNameFields(ForgivingFields):
    name: Name


class ConsentRoutes:
    """Keep consents once they were heard: the text is right, and one person reads it."""

    def __init__(self, recordings: VoiceRecordings, own: OwnVoices, limits: Limits) -> None:
        self._recordings, self._own, self._limits = recordings, own, limits

    def routes(self) -> list[Route]:
        """Return the paths of consents, and of the texts that are read."""
        return [
            Route("/v1/audio/consent_texts", self.texts, methods=["GET"]),
            Route(CONSENTS, self.list, methods=["GET"]),
            Route(CONSENTS, self.create, methods=["POST"]),
            Route(f"{CONSENTS}/{{id}}", self.show, methods=["GET"]),
            Route(f"{CONSENTS}/{{id}}", self.rename, methods=["POST"]),
            Route(f"{CONSENTS}/{{id}}", self.delete, methods=["DELETE"]),
        ]

    async def texts(self, request: Request) -> Response:
        """List what must be read aloud, by language."""
        rows = [
            {"language": code, "text": consent.text}
            for code, consent in self._recordings.texts().items()
        ]
        return JSONResponse({"object": "list", "data": rows})

    async def create(self, request: Request) -> Response:
        """Keep a recording of consent."""
        context = context_of(request, self._limits)
        fields, (files,) = await form_parts(request, ConsentFields, ("recording",), max_files=1)
        kept = self._own.consents_of(request.scope)
        self._recordings.check_can_copy()
        code, _ = self._recordings.consent_text(fields.language)
        recording = await self._recordings.listen(files[0], "recording", context)
        await self._recordings.check_text(recording, code, context)
        consent = await asyncio.to_thread(kept.add, fields.name, fields.language, files[0])
        return naming_ignored(timed(JSONResponse(consent_json(consent)), context), fields)

    async def list(self, request: Request) -> Response:
        """List the caller's consents, the newest first, a page at a time."""
        every = await asyncio.to_thread(self._own.consents_of(request.scope).all)
        limit = _limit(request.query_params.get("limit"))
        start = 0
        if (after := request.query_params.get("after")) is not None:
            ids = [consent.id for consent in every]
            if after not in ids:
                message = f"after must be the id of a consent, not {after[:80]!r}"
                raise InvalidRequest(message, param="after")
            start = ids.index(after) + 1
        rows = [consent_json(consent) for consent in every[start : start + limit]]
        page = {
            "object": "list",
            "data": rows,
            "first_id": rows[0]["id"] if rows else None,
            "last_id": rows[-1]["id"] if rows else None,
            "has_more": len(every) > start + limit,
        }
        return JSONResponse(page)

    async def show(self, request: Request) -> Response:
        """Show one consent."""
        kept = self._own.consents_of(request.scope)
        return JSONResponse(consent_json(await asyncio.to_thread(kept.get, _id(request))))

    async def rename(self, request: Request) -> Response:
        """Give a consent another name."""
        fields = await json_fields(request, NewNameFields, self._limits)
        kept = self._own.consents_of(request.scope)
        consent = await asyncio.to_thread(kept.rename, _id(request), fields.name)
        return naming_ignored(JSONResponse(consent_json(consent)), fields)

    async def delete(self, request: Request) -> Response:
        """Delete a consent, and the voices that were made with it: nobody allows them any more."""
        id, kept = _id(request), self._own.consents_of(request.scope)
        voices = self._own.voices_of(request.scope)
        await asyncio.to_thread(kept.delete, id)
        await asyncio.to_thread(voices.delete_made_with, id)
        return JSONResponse({"id": id, "object": "audio.voice_consent", "deleted": True})


def consent_json(consent: Consent) -> dict[str, Any]:
    """Show a consent as OpenAI's ``VoiceConsent``."""
    return {
        "id": consent.id,
        "object": "audio.voice_consent",
        "name": consent.name,
        "language": consent.language,
        "created_at": int(consent.created_at),
        "expires_at": None if consent.expires_at is None else int(consent.expires_at),
    }


def _id(request: Request) -> str:
    id: str = request.path_params["id"]
    return id


def _limit(asked: str | None) -> int:
    if asked is None:
        return LISTED
    if asked.isascii() and asked.isdigit() and 1 <= int(asked[:9]) <= MOST_LISTED:
        return int(asked[:9])
    raise InvalidRequest(f"limit must be a number from 1 to {MOST_LISTED}", param="limit")
