"""Carry the events of a session to a listener who came to another ingress process.

The process that has the listener asks all of them for the next events, again and again; the one
that has the session answers once there are some. So no process needs to know another's address.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from deployments.live.events import Closed, Event
from deployments.live.listeners import Listener
from deployments.live.sessions import Sessions
from models.errors import DragomanError, Unavailable, UnknownSession

WAIT_S = 10.0  # for the next event, before an answer without any
FORGET_S = 30.0  # after which a listener whom nobody asks for is gone
MAX_EVENTS = 256  # of one answer


@dataclass(frozen=True, slots=True)
class Ask:
    """A listener's request for a session's events.

    Attributes:
        session: its id, or its name.
        owner: the key that the session must be of; "" where there are no keys.
        targets: languages that the listener wants.
        speaks: whether it wants them spoken.
        number: of the question: the first one begins to listen.
        id: of the listener.
    """

    session: str
    owner: str
    targets: tuple[str, ...]
    speaks: bool
    number: int = 0
    id: str = field(default_factory=lambda: secrets.token_hex(12))


Answer: TypeAlias = Sequence[Event] | DragomanError | None  # None: another process has the session
AskAll: TypeAlias = Callable[[Ask], Awaitable[Sequence[Answer]]]
FindAll: TypeAlias = Callable[[str, str], Awaitable[Sequence[str | None]]]
EndAll: TypeAlias = Callable[[str], Awaitable[Sequence[bool]]]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The ways to all ingress processes, this one among them.

    Attributes:
        ask: for a listener's next events.
        find: the id of a session, by its id or name and its owner.
        end: a session, by its id; tells who had it.
    """

    ask: AskAll
    find: FindAll
    end: EndAll


class Relays:
    """Answer other processes for the sessions of this one."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._listeners: dict[str, Listener] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    async def answer(self, ask: Ask) -> Answer:
        """Return the next events for a listener of another process.

        An error, such as a language that nothing translates to, is returned, too.
        """
        try:
            listener = self._listener(ask)
            return None if listener is None else await self._next(ask, listener)
        except DragomanError as error:
            self._forget(ask.id)
            return error

    def find(self, session: str, owner: str) -> str | None:
        """Return the id of a session of this process; None: it is another's, or nobody's."""
        try:
            return self._sessions.find(session, owner).id
        except UnknownSession:
            return None

    def _listener(self, ask: Ask) -> Listener | None:
        if ask.number == 0:
            try:
                session = self._sessions.find(ask.session, ask.owner)
            except UnknownSession:
                return None
            listener = session.listen(ask.targets, speaks=ask.speaks, follows=True)
            self._listeners[ask.id] = listener
        return self._listeners.get(ask.id)

    async def _next(self, ask: Ask, listener: Listener) -> Answer:
        self._keep(ask.id)
        if ask.number == 0:
            return ()
        events: list[Event] = []
        try:
            async with asyncio.timeout(WAIT_S):
                events.append(await anext(listener))
            while len(events) < MAX_EVENTS and listener.has_more:
                events.append(await anext(listener))
        except (TimeoutError, StopAsyncIteration):
            pass
        if events and isinstance(events[-1], Closed):
            self._forget(ask.id)
        return events

    def _keep(self, listener_id: str) -> None:
        self._stop_timer(listener_id)
        loop = asyncio.get_running_loop()
        self._timers[listener_id] = loop.call_later(FORGET_S, self._forget, listener_id)

    def _forget(self, listener_id: str) -> None:
        self._stop_timer(listener_id)
        listener = self._listeners.pop(listener_id, None)
        if listener is not None:
            listener.close()

    def _stop_timer(self, listener_id: str) -> None:
        timer = self._timers.pop(listener_id, None)
        if timer is not None:
            timer.cancel()


async def follow(sessions: Sessions, elsewhere: Elsewhere | None, ask: Ask) -> Follower:
    """Begin to listen to a session, wherever it is.

    Raises:
        UnknownSession: nobody has it.
        DragomanError: it takes no more listeners, or nothing translates to the language.
    """
    try:
        session = sessions.find(ask.session, ask.owner)
    except UnknownSession:
        if elsewhere is None:
            raise
        first = _one(await elsewhere.ask(ask))
        if first is None:
            raise
        return _carried(elsewhere, ask)
    return _local(session.listen(ask.targets, speaks=ask.speaks, follows=True))


Follower: TypeAlias = AsyncGenerator[Event]


async def _local(listener: Listener) -> Follower:
    try:
        async for event in listener:
            yield event
    finally:
        listener.close()


async def _carried(elsewhere: Elsewhere, ask: Ask) -> Follower:
    number = 0
    while True:
        number += 1
        question = Ask(ask.session, ask.owner, ask.targets, ask.speaks, number, ask.id)
        events = _one(await elsewhere.ask(question))
        if events is None:
            raise Unavailable("the ingress process that has the session is gone")
        for event in events:
            yield event
            if isinstance(event, Closed):
                return


def _one(answers: Sequence[Answer]) -> Sequence[Event] | None:
    """Return the answer of the process that has the session. Raises its error."""
    for answer in answers:
        if isinstance(answer, DragomanError):
            raise answer
        if answer is not None:
            return answer
    return None


async def find(
    sessions: Sessions, elsewhere: Elsewhere | None, session: str, owner: str
) -> str | None:
    """Return the id of a session of any process; None: nobody has it."""
    found = Relays(sessions).find(session, owner)
    if found is None and elsewhere is not None:
        answers = await elsewhere.find(session, owner)
        found = next((each for each in answers if each is not None), None)
    return found
