"""What there is, as OpenAI's clients ask for it: models, voices, and the names they know them by.

Also what is not there yet: its paths say so, instead of that there is no such path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.catalogue.selection import Fleet, by_language
from deployments.http.v1.model_listing import alias_row, model_row
from models.errors import InvalidRequest, Unavailable
from models.runtime import Voice

NOT_THERE: Mapping[str, tuple[str, ...]] = {  # path -> methods: OpenAI's, to make voices
    "/v1/audio/voices": ("POST",),
    "/v1/audio/voices/{name:path}": ("DELETE",),
    "/v1/audio/voice_consents": ("GET", "POST"),
    "/v1/audio/voice_consents/{name:path}": ("GET", "POST", "DELETE"),
}


class CatalogueRoutes:
    """The handlers, over one fleet. ``started`` is the server's start, in Unix seconds."""

    def __init__(self, fleet: Fleet, started: int) -> None:
        self._fleet = fleet
        self._started = started

    def routes(self) -> list[Route]:
        return [
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/models/{name:path}", self.model, methods=["GET"]),
            Route("/v1/audio/models", self.speaking_models, methods=["GET"]),
            Route("/v1/audio/voices", self.voices, methods=["GET"]),
            Route("/v1/audio/translations", no_translations, methods=["POST"]),
            *(Route(path, no_voices, methods=[*methods]) for path, methods in NOT_THERE.items()),
        ]

    async def models(self, request: Request) -> Response:
        """Those that can be used now: one that is unloaded, or still loading, is left out."""
        return JSONResponse({"object": "list", "data": await self._rows()})

    async def model(self, request: Request) -> Response:
        name: str = request.path_params["name"]
        row = await model_row(self._fleet, name, self._started)
        aliases = self._fleet.aliases
        return JSONResponse(alias_row(row, name, aliases[name]) if name in aliases else row)

    async def speaking_models(self, request: Request) -> Response:
        """What ``model`` may name where a text is spoken; ``models`` is where web clients look."""
        rows = [
            {"id": row["id"], "name": row["id"], "object": "model", "owned_by": row["owned_by"]}
            for row in await self._rows()
            if row["kind"] == "tts"
        ]
        return JSONResponse({"object": "list", "data": rows, "models": rows})

    async def voices(self, request: Request) -> Response:
        """What ``voice`` may name; ``voices`` is where web clients look."""
        voices = self._fleet.voices() if self._fleet.has("tts") else []
        rows: list[dict[str, Any]] = [
            {"id": voice.id, "name": voice.id, "language": voice.language, "model": model.name}
            for model, voice in voices
        ]
        known = {voice.id: voice for _, voice in voices}
        others = [alias for alias in self._fleet.voice_aliases if alias not in known]
        stands_for = {alias: self._stands_for(alias, known) for alias in others}
        rows += [_alias_voice(alias, found) for alias, found in stands_for.items() if found]
        return JSONResponse({"object": "list", "data": rows, "voices": rows})

    def _stands_for(self, alias: str, known: Mapping[str, Voice]) -> list[Voice]:
        ids = by_language(self._fleet.voice_aliases[alias]).values()
        return [known[voice_id] for voice_id in ids if voice_id in known]

    async def _rows(self) -> list[dict[str, Any]]:
        """Of every model that can be used, and behind them of every other name of one."""
        rows = await asyncio.gather(*map(self._row_if_there, self._fleet.names()))
        there = [row for row in rows if row is not None]
        aliases = self._fleet.aliases.items()
        of_aliases = ((alias, name, _first(there, alias)) for alias, name in aliases)
        return there + [alias_row(row, alias, name) for alias, name, row in of_aliases if row]

    async def _row_if_there(self, name: str) -> dict[str, Any] | None:
        try:
            return await model_row(self._fleet, name, self._started)
        except Unavailable:
            return None


def _first(rows: Sequence[dict[str, Any]], alias: str) -> dict[str, Any] | None:
    return next((row for row in rows if alias in row["aliases"]), None)


def _alias_voice(alias: str, voices: Sequence[Voice]) -> dict[str, Any]:
    first = voices[0]
    return {
        "id": alias,
        "name": f"{alias} ({', '.join(voice.id for voice in voices)})",
        "language": first.language,  # of a text whose language is not named
        "alias_of": {voice.language: voice.id for voice in voices},
    }


async def no_translations(request: Request) -> Response:
    raise InvalidRequest(
        "/v1/audio/translations is not there yet; /v1/speech/translations translates speech, "
        "with target_language=en into English"
    )


async def no_voices(request: Request) -> Response:
    raise InvalidRequest(
        "voices cannot be made here yet; GET /v1/audio/voices lists those there are, and "
        "voice=source of /v1/speech/translations is the speaker's own"
    )
