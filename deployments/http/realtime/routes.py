"""The paths of the realtime protocols: what a handshake asks for, and the session it opens."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from deployments.config.live import Live
from deployments.http.glossary_fields import Glossaries, GlossaryFields
from deployments.http.middleware.access import TOKEN
from deployments.http.middleware.admission import Admission
from deployments.http.parsing import blaming
from deployments.http.realtime import transcription, translation
from deployments.http.realtime.channel import Channel
from deployments.http.realtime.conversation import Dialogue, converse
from deployments.http.realtime.follow import Following
from deployments.http.realtime.opened import (
    FindGlossary,
    Opened,
    VoiceOf,
    named_model,
    with_own_voice,
)
from deployments.http.realtime.queries import TRANSCRIPTION, TRANSLATION, Query, owner
from deployments.http.realtime.relay import Elsewhere
from deployments.http.realtime.session_fields import (
    SessionT,
    TranscriptionSession,
    TranslationSession,
    updated,
)
from deployments.live.options import LiveOptions
from deployments.live.session import Session
from deployments.live.sessions import Sessions
from deployments.security.tokens import Kind, Token
from models.errors import InsufficientScope, InvalidRequest, NameTaken, UpgradeRequired
from models.text.glossary import Glossary

PATHS = ("/v1/realtime", "/v1/realtime/translations")
CheckModel = Callable[[str], object]


class Realtime:
    """Serves both protocols over the sessions of this process.

    Args:
        sessions: opens and finds them.
        elsewhere: the ways to other ingress processes; None: there are none.
        admission: of this process, which says when it stops.
        limits: of sessions.
        check_model: raises for a name that no recogniser has.
        voice_of: finds voices that callers keep.
        glossaries: finds those that sessions ask for.
    """

    def __init__(
        self,
        sessions: Sessions,
        elsewhere: Elsewhere | None,
        admission: Admission,
        limits: Live,
        check_model: CheckModel,
        voice_of: VoiceOf,
        glossaries: Glossaries,
    ) -> None:
        self._sessions, self._elsewhere = sessions, elsewhere
        self._admission, self._limits = admission, limits
        self._check_recogniser, self._voice_of = check_model, voice_of
        self._glossaries = glossaries
        self._following = Following(sessions, elsewhere, admission, limits)

    def routes(self) -> list[BaseRoute]:
        return [
            WebSocketRoute("/v1/realtime", _Socket(self.transcription)),
            WebSocketRoute("/v1/realtime/translations", _Socket(self.translation)),
            *(Route(path, upgrade, methods=["GET"]) for path in PATHS),
            Route("/v1/realtime/follow", self._following.stream, methods=["GET"]),
        ]

    async def translation(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a handshake of a translation, or of a listener."""
        query = Query(scope)
        if query.text("follow") is not None:
            await self._following.socket(scope, receive, send)
            return
        asked = _asked(scope, "translation", TranslationSession())
        asked = updated(asked, query.session(TRANSLATION))
        if asked.model is None:
            raise InvalidRequest("model must be in the query, such as model=asr", param="model")
        self._check_model(asked.model)
        find = partial(self._find_glossary, scope)
        options = translation.live_options(asked, await find(asked.glossary))
        opened = await self._open(scope, options, asked.dragoman.name, find)
        channel = Channel(scope, receive, send, self._limits.listener_bytes)
        dialogue = translation.TranslationDialogue(channel, opened, asked)
        await self._run(channel, opened, dialogue)

    async def transcription(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a handshake of a transcription."""
        query = Query(scope)
        asked = _asked(scope, "transcription", TranscriptionSession())
        intent = query.text("intent") or (TOKEN in scope and "transcription")
        if intent != "transcription":
            message = "intent must be transcription: this server has no conversations"
            raise InvalidRequest(message, param="intent")
        asked = updated(asked, query.session(TRANSCRIPTION))
        self._check_model(asked.hearing.model)
        find = partial(self._find_glossary, scope)
        options = transcription.live_options(asked, await find(asked.glossary))
        opened = await self._open(scope, options, asked.dragoman.name, find)
        channel = Channel(scope, receive, send, self._limits.listener_bytes)
        dialogue = transcription.TranscriptionDialogue(channel, opened, asked)
        await self._run(channel, opened, dialogue)

    async def _find_glossary(
        self, scope: Scope, asked: str | GlossaryFields | None
    ) -> Glossary | None:
        with blaming("glossary", "session.glossary"):
            return await self._glossaries.find(scope, asked)

    async def _open(
        self, scope: Scope, options: LiveOptions, name: str | None, find: FindGlossary
    ) -> Opened:
        """Open a session. Raises DragomanError, which the handshake is answered with."""
        options = await with_own_voice(options, owner(scope), self._voice_of)
        session = self._sessions.open(options, owner(scope), name)
        if name is not None:
            try:
                await self._check_elsewhere(session, name)
            except BaseException:
                session.abort()
                raise
        expires_at = round(session.opened_at + self._limits.max_session_s)
        return Opened(session, expires_at, self._check_model, self._claim, self._voice_of, find)

    async def _run(self, channel: Channel, opened: Opened, dialogue: Dialogue) -> None:
        try:
            await channel.accept()
            await converse(channel, opened.session, dialogue, self._admission)
        finally:
            if not opened.session.is_over:
                opened.session.abort()

    def _check_model(self, name: str | None) -> None:
        if (named := named_model(name)) is not None:
            self._check_recogniser(named)

    async def _claim(self, session: Session, name: str) -> None:
        """Name a session that is open. Raises NameTaken."""
        if any(each.owner == session.owner and each.name == name for each in self._sessions):
            raise _taken(name)
        before, session.name = session.name, name
        try:
            await self._check_elsewhere(session, name)
        except BaseException:
            session.name = before
            raise

    async def _check_elsewhere(self, session: Session, name: str) -> None:
        """Refuse a name that a session of another process has, or takes at this moment.

        The session has the name already, so that of two at once none misses the other.
        """
        if self._elsewhere is not None:
            found = await self._elsewhere.find(name, session.owner)
            if any(each not in (None, session.id) for each in found):
                raise _taken(name)


class _Socket:
    """An endpoint as Starlette runs it: bare, with no layer of its own around it."""

    def __init__(self, answer: Callable[[Scope, Receive, Send], object]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(scope, receive, send)  # type: ignore[misc]


def _asked(scope: Scope, kind: Kind, default: SessionT) -> SessionT:
    """Return the session that a token asks for. Raises InsufficientScope: it opens none."""
    token: Token | None = scope.get(TOKEN)
    if token is None:
        return default
    if token.kind != kind:
        raise InsufficientScope("the token opens no such session", param="authorization")
    return updated(default, token.says)


async def upgrade(request: Request) -> Response:
    """Refuse a request that is no handshake."""
    raise UpgradeRequired(f"{request.url.path} is a WebSocket: send the header Upgrade: websocket")


def _taken(name: str) -> NameTaken:
    return NameTaken(f"a session named {name!r} is open already", param="name")
