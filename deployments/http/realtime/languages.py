"""List the languages that a live session can be followed in, for speakers and for listeners."""

from __future__ import annotations

from contextlib import suppress

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.catalogue.selection import Fleet
from deployments.config.schema import AppConfig
from deployments.live.fleet_sessions import speaks_in_time
from models.errors import Unavailable


class LanguageRoutes:
    """The handler, over one fleet."""

    def __init__(self, fleet: Fleet, config: AppConfig) -> None:
        self._fleet, self._config = fleet, config

    def routes(self) -> list[Route]:
        """Return the path, which a token to listen opens, too."""
        return [Route("/v1/realtime/languages", self.languages, methods=["GET"])]

    async def languages(self, request: Request) -> Response:
        """List each language that is translated to, and whether it is spoken, and in time."""
        spoken = self._spoken()
        targets = self._fleet.routes().targets()
        rows = [self._row(code, is_spoken=code in spoken) for code in targets]
        return JSONResponse({"object": "list", "data": rows})

    def _row(self, code: str, *, is_spoken: bool) -> dict[str, str | bool]:
        in_time = is_spoken and speaks_in_time(self._fleet, self._config, code)
        return {"language": code, "spoken": is_spoken, "in_time": in_time}

    def _spoken(self) -> set[str]:
        if not self._fleet.has("tts"):
            return set()
        with suppress(Unavailable):
            return {voice.language for _, voice in self._fleet.voices().all()}
        return set()
