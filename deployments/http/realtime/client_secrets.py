"""Make tokens over HTTP: client secrets for browsers, and tokens that only listen."""

from __future__ import annotations

import asyncio
import secrets
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.config.schema import Limits
from deployments.http.parsing import Fields, json_fields
from deployments.http.realtime import shown
from deployments.http.realtime.links import PageAddress, link_to_listen, qr_svg
from deployments.http.realtime.queries import owner
from deployments.http.realtime.relay import Elsewhere, find
from deployments.http.realtime.session_fields import (
    Name,
    TranscriptionSession,
    TranslationSession,
    updated,
)
from deployments.live.sessions import Sessions
from deployments.security.tokens import MAX_TOKEN_BYTES, Kind, Tokens
from models.errors import InvalidRequest, TooLarge, UnknownSession

Seconds = Annotated[int, Field(ge=10, le=7_200)]


class ExpiresAfter(Fields):
    anchor: Literal["created_at"] = "created_at"
    seconds: Seconds = 600


class ClientSecretFields(Fields):
    """The session that a client secret opens, and its time."""

    session: dict[str, Any]
    expires_after: ExpiresAfter = ExpiresAfter()


class ListenTokenFields(Fields):
    """The session that a token listens to, and how long it may begin to."""

    name: Name
    expires_after: ExpiresAfter = ExpiresAfter()
    page: PageAddress | None = None
    """Address of a page for listeners: the answer then has a link to it, and its QR code."""


class TokenRoutes:
    """Make tokens for the key that a request came with."""

    def __init__(
        self, tokens: Tokens, sessions: Sessions, elsewhere: Elsewhere | None, limits: Limits
    ) -> None:
        self._tokens, self._limits = tokens, limits
        self._sessions, self._elsewhere = sessions, elsewhere

    def routes(self) -> list[Route]:
        base = "/v1/realtime"
        return [
            Route(f"{base}/client_secrets", self.transcription, methods=["POST"]),
            Route(f"{base}/translations/client_secrets", self.translation, methods=["POST"]),
            Route(f"{base}/listen_tokens", self.listen, methods=["POST"]),
        ]

    async def translation(self, request: Request) -> Response:
        """Make a secret that opens translation sessions."""
        fields = await json_fields(request, ClientSecretFields, self._limits)
        asked = updated(TranslationSession(), fields.session)
        if asked.model is None:
            raise InvalidRequest("session.model is required", param="session.model")
        return self._secret(request, "translation", fields, shown.translation, asked)

    async def transcription(self, request: Request) -> Response:
        """Make a secret that opens transcription sessions."""
        fields = await json_fields(request, ClientSecretFields, self._limits)
        asked = updated(TranscriptionSession(), fields.session)
        return self._secret(request, "transcription", fields, shown.transcription, asked)

    def _secret(
        self, request: Request, kind: Kind, fields: ClientSecretFields, show: Any, asked: Any
    ) -> Response:
        lasts_s = fields.expires_after.seconds
        token = self._tokens.make(kind, owner(request.scope), lasts_s, fields.session)
        value = self._tokens.text(token)
        if len(value) > MAX_TOKEN_BYTES:
            raise TooLarge(
                f"session must be shorter: the secret has {len(value)} bytes with it, and "
                f"{MAX_TOKEN_BYTES} are the most",
                param="session",
            )
        session = show(asked, f"sess_{secrets.token_hex(12)}", token.expires_at)
        body = {"value": value, "expires_at": token.expires_at, "session": session}
        return JSONResponse(body, headers=UNKEPT)

    async def listen(self, request: Request) -> Response:
        """Make a token that listens to one open session, until that ends."""
        fields = await json_fields(request, ListenTokenFields, self._limits)
        mine = owner(request.scope)
        session = await find(self._sessions, self._elsewhere, fields.name, mine)
        if session is None:
            message = f"there is no open session {fields.name!r} of this key"
            raise UnknownSession(message, param="name")
        says = {"name": fields.name, "session": session}
        token = self._tokens.make("listen", mine, fields.expires_after.seconds, says)
        value = self._tokens.text(token)
        body = {"value": value, "expires_at": token.expires_at, **says}
        if fields.page is not None:
            link = link_to_listen(fields.page, value, fields.name)
            body |= {"link": link, "qr_svg": await asyncio.to_thread(qr_svg, link)}
        return JSONResponse(body, headers=UNKEPT)


UNKEPT = {"cache-control": "no-store"}
