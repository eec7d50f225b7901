"""List the languages that a live session can be followed in, for speakers and for listeners."""

from __future__ import annotations

from contextlib import suppress

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.catalogue.selection import Fleet
from models.errors import Unavailable


class LanguageRoutes:
    """The handler, over one fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def routes(self) -> list[Route]:
        """Return the path, which a token to listen opens, too."""
        return [Route("/v1/realtime/languages", self.languages, methods=["GET"])]

    async def languages(self, request: Request) -> Response:
        """List each language that is translated to, and whether a voice speaks it."""
        spoken = self._spoken()
        targets = self._fleet.routes().targets()
        rows = [{"language": code, "spoken": code in spoken} for code in targets]
        return JSONResponse({"object": "list", "data": rows})

    def _spoken(self) -> set[str]:
        if not self._fleet.has("tts"):
            return set()
        with suppress(Unavailable):
            return {voice.language for _, voice in self._fleet.voices().all()}
        return set()
