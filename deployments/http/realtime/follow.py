"""Follow a named session, read only: over a WebSocket, or as server-sent events of text."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from deployments.config.live import Live
from deployments.http.errors import as_ours
from deployments.http.middleware.access import TOKEN
from deployments.http.middleware.admission import Admission
from deployments.http.realtime import shown
from deployments.http.realtime.channel import Channel
from deployments.http.realtime.conversation import Ender, finish
from deployments.http.realtime.own_events import OwnEvents
from deployments.http.realtime.queries import Query, owner
from deployments.http.realtime.relay import Ask, Elsewhere, Follower, follow
from deployments.http.realtime.session_fields import TranslationSession, updated
from deployments.http.realtime.translation import Writer
from deployments.http.streaming import EVENTS, StreamedResponse, event
from deployments.live.events import Closed
from deployments.live.sessions import Sessions
from deployments.security.tokens import Token
from deployments.telemetry.log import request_ids
from models.errors import DragomanError, InsufficientScope, InvalidRequest

BEAT_S = 15.0  # between two comments where nothing else is sent, so that nobody hangs up
BEAT = b": the session goes on\n\n"


class Following:
    """Lets callers listen to the sessions of their own key, or of the key that made their token."""

    def __init__(
        self, sessions: Sessions, elsewhere: Elsewhere | None, admission: Admission, limits: Live
    ) -> None:
        self._sessions, self._elsewhere = sessions, elsewhere
        self._admission, self._limits = admission, limits

    async def socket(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer ``WS /v1/realtime/translations?follow=NAME``."""
        query = Query(scope)
        ask = _ask(scope, query, query.text("follow"), speaks=not query.flag("text_only"))
        events = await follow(self._sessions, self._elsewhere, ask)
        async with aclosing(events):
            channel = Channel(scope, receive, send, self._limits.listener_bytes)
            await channel.accept()
            channel.tell("session.created", session=_shown(ask, query.text("follow")))
            writer = _writer(channel, query)
            reading = asyncio.create_task(_refuse_all(channel))
            try:
                error = await self._show(events, writer, channel, reading)
            finally:
                reading.cancel()
            await finish(channel, error, _Farewell(channel), self._admission)

    async def _show(
        self, events: Follower, writer: Writer, channel: Channel, reading: asyncio.Task[None]
    ) -> DragomanError | None:
        """Write events until the session ends, the listener leaves, or the server stops."""
        ender = Ender(self._admission)
        stops = [
            reading,
            *(asyncio.create_task(each.wait()) for each in (channel.too_slow, channel.gone)),
            ender.task,
        ]
        try:
            while True:
                coming = asyncio.ensure_future(anext(events))
                await asyncio.wait([coming, *stops], return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    coming.cancel()
                    with suppress(asyncio.CancelledError, StopAsyncIteration):
                        await coming
                    return ender.error
                told = coming.result()
                if isinstance(told, Closed):
                    return told.error
                writer.show(told)
        except Exception as error:
            return as_ours(error, request_ids.get().get("request_id", ""))
        finally:
            for task in stops[1:]:
                task.cancel()

    async def stream(self, request: Request) -> Response:
        """Answer ``GET /v1/realtime/follow?name=NAME``: the same events, of text alone."""
        query = Query(request.scope)
        ask = _ask(request.scope, query, query.text("name"), speaks=False)
        events = await follow(self._sessions, self._elsewhere, ask)
        first = event({"type": "session.created", "session": _shown(ask, query.text("name"))})
        return StreamedResponse(first, self._lines(events, query), EVENTS)

    async def _lines(self, events: Follower, query: Query) -> AsyncGenerator[bytes]:
        lines = _Lines()
        writer = _writer(lines, query)
        stopping = Ender(self._admission)
        async with aclosing(events):
            coming: asyncio.Future[Any] = asyncio.ensure_future(anext(events))
            try:
                while not stopping.task.done():
                    await asyncio.wait(
                        [coming, stopping.task],
                        timeout=BEAT_S,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    if not coming.done():
                        yield BEAT
                        continue
                    told = coming.result()
                    if isinstance(told, Closed):
                        yield event({"type": "session.closed"})
                        return
                    writer.show(told)
                    coming = asyncio.ensure_future(anext(events))
                    while lines.waiting:
                        yield lines.waiting.popleft()
            finally:
                stopping.task.cancel()
                coming.cancel()
                await asyncio.wait([coming])


class _Lines:
    """Keeps events as lines of a stream until they are sent."""

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()

    def tell(self, kind: str, /, **fields: Any) -> None:
        self.waiting.append(event({"type": kind, **fields}))


class _Farewell:
    """Tells a listener that the session is over."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def end(self) -> None:
        self._channel.tell("session.closed")


async def _refuse_all(channel: Channel) -> None:
    """Refuse what a listener sends, until it leaves or closes."""
    async for sent in channel.events():
        if sent.type == "session.close":
            return
        error = InvalidRequest(f"a listener sends nothing, not {sent.type[:80]}", param="type")
        channel.refuse(error, sent.id)


def _ask(scope: Scope, query: Query, name: str | None, *, speaks: bool) -> Ask:
    """Return who wants to listen to what. Raises InsufficientScope: the token is for another."""
    if name is None:
        raise InvalidRequest("name must be that of an open session", param="name")
    token: Token | None = scope.get(TOKEN)
    session = name
    if token is not None:
        if token.kind != "listen" or name not in (token.says["name"], token.says["session"]):
            raise InsufficientScope("the token is for another session", param="authorization")
        session = token.says["session"]
    targets = query.languages("language")
    return Ask(session, owner(scope), targets, speaks and bool(targets))


def _shown(ask: Ask, name: str | None) -> dict[str, Any]:
    output = {"language": ask.targets[0] if ask.targets else None, "text_only": not ask.speaks}
    asked = updated(TranslationSession(), {"audio": {"output": output}})
    return {**shown.translation(asked, ask.id, 0), "dragoman": {"follows": name}}


def _writer(to: Any, query: Query) -> Writer:
    own = OwnEvents(to, lambda event: None, is_on=query.flag("dragoman_events"))
    several = len(query.languages("language")) > 1
    return Writer(to, own, has_input=True, names_language=several)
