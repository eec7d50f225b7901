"""``/v1/voices``, and ``/v1/audio/voices`` as OpenAI's clients ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.catalogue.selection import Fleet
from deployments.catalogue.voices import by_language
from deployments.http.kept import NOTHING_KEPT
from deployments.http.own_voices import OwnVoices
from deployments.http.v1.own_voices import voice_json
from models.errors import DragomanError
from models.runtime import Voice
from models.types import SOURCE_VOICE


class VoiceRoutes:
    """The handlers, over one fleet and the voices that callers keep."""

    def __init__(self, fleet: Fleet, own: OwnVoices) -> None:
        self._fleet, self._own = fleet, own

    def routes(self) -> list[Route]:
        """Return the paths that list voices."""
        return [
            Route("/v1/voices", self.voices, methods=["GET"]),
            Route("/v1/audio/voices", self.named_voices, methods=["GET"]),
        ]

    async def voices(self, request: Request) -> Response:
        """List every voice, and the models that speak in the voice of a recording."""
        voices = self._fleet.voices().all()
        rows = [
            {
                "id": voice.id,
                "language": voice.language,
                "engine": voice.engine,
                "model": model.name,
                "sample_rate_hz": voice.sample_rate_hz,
            }
            for model, voice in voices
        ]
        models = {model.name: model for model, _ in voices}
        cloning = [
            {
                "voice": SOURCE_VOICE,
                "use": "the speaker's own voice, in translations of speech",
                "model": model.name,
                "languages": model.spec.cloning_languages,
            }
            for model in models.values()
            if model.spec.cloning_languages
        ]
        return JSONResponse({"object": "list", "data": rows, "cloning": cloning})

    async def named_voices(self, request: Request) -> Response:
        """List what ``voice`` may name in ``/v1/audio/speech``.

        Web clients look for it in ``voices``.
        """
        voices = self._fleet.voices().all() if self._fleet.has("tts") else []
        rows: list[dict[str, Any]] = [
            {"id": voice.id, "name": voice.id, "language": voice.language, "model": model.name}
            for model, voice in voices
        ]
        known = {voice.id: voice for _, voice in voices}
        others = [alias for alias in self._fleet.voice_aliases if alias not in known]
        stands_for = {alias: self._stands_for(alias, known) for alias in others}
        rows += [_alias_voice(alias, found) for alias, found in stands_for.items() if found]
        cloning, missing = self._cloning()
        if self._own.are_kept:
            every = await asyncio.to_thread(self._own.voices_of(request.scope).all)
            languages = cloning["languages"] if cloning else []
            own = {"kind": "own", "language": None, "languages": languages}
            rows += [{**voice_json(each), **own} for each in every]
        about = {"cloning": cloning, "cloning_missing": missing}
        return JSONResponse({"object": "list", "data": rows, "voices": rows, **about})

    def _cloning(self) -> tuple[dict[str, Any] | None, str | None]:
        """Return which model speaks in the voice of a recording, or else why none does."""
        if not self._own.are_kept:
            return None, NOTHING_KEPT
        try:
            model = self._fleet.voices().cloning()[0]
        except DragomanError as error:
            return None, error.message
        return {"model": model.name, "languages": list(model.spec.cloning_languages)}, None

    def _stands_for(self, alias: str, known: Mapping[str, Voice]) -> list[Voice]:
        """List the voices that an alias stands for, of those that there are."""
        ids = by_language(self._fleet.voice_aliases[alias]).values()
        return [known[voice_id] for voice_id in ids if voice_id in known]


def _alias_voice(alias: str, voices: Sequence[Voice]) -> dict[str, Any]:
    first = voices[0]
    return {
        "id": alias,
        "name": f"{alias} ({', '.join(voice.id for voice in voices)})",
        "language": first.language,  # of a text whose language is not named
        "alias_of": {voice.language: voice.id for voice in voices},
    }
