"""Hand a session's events to those who listen, each in languages of its choice."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping

from deployments.config.live import Live
from deployments.live.demand import Admit, Demand
from deployments.live.events import (
    Closed,
    Event,
    SentenceDone,
    SpeechDelta,
    TranscriptDelta,
    TranscriptPartial,
    TranslationDelta,
    TurnDone,
)
from deployments.live.options import LiveOptions
from models.errors import DragomanError, ReaderTooSlow, Unprocessable

EVENT_BYTES = 256  # of an event, beside its text and its audio


def size_bytes(event: Event) -> int:
    """Estimate what an event takes until it is read."""
    if isinstance(event, SpeechDelta):
        return EVENT_BYTES + event.audio.samples.nbytes
    if isinstance(event, SentenceDone):
        return EVENT_BYTES + 4 * (len(event.text) + len(event.source_text))
    if isinstance(event, TranscriptDelta | TranscriptPartial | TranslationDelta | TurnDone):
        return EVENT_BYTES + 4 * len(event.text)
    return EVENT_BYTES


class Listener:
    """One who listens: an async iterator of events, the last of which is ``Closed``.

    One who leaves more than ``max_bytes`` of events unread is dropped: the next read raises
    ``ReaderTooSlow``.

    Attributes:
        targets: languages whose translations it wants; None: those that the session asks for.
        speaks: whether it wants them spoken; None: as the session asks.
        follows: it reads alone, and is not the session's own.
    """

    def __init__(
        self,
        targets: tuple[str, ...] | None,
        speaks: bool | None,
        max_bytes: int,
        on_leave: Callable[[Listener], None],
        *,
        follows: bool = False,
    ) -> None:
        self.targets = targets
        self.speaks = speaks
        self.follows = follows
        self.error: DragomanError | None = None
        self._max_bytes = max_bytes
        self._on_leave = on_leave
        self._waiting: deque[Event] = deque()
        self._bytes = 0
        self._is_over = False
        self._news = asyncio.Event()

    def put(self, event: Event) -> None:
        """Let an event wait until it is read; too many, and the listener is dropped."""
        if self._is_over:
            return
        self._bytes += size_bytes(event)
        if self._bytes > self._max_bytes and not isinstance(event, Closed):
            message = f"more than {self._max_bytes} bytes of events were not read"
            self.error = ReaderTooSlow(message)
            self._waiting.clear()
            self._end()
            return
        self._waiting.append(event)
        if isinstance(event, Closed):
            self._end()
        self._news.set()

    def close(self) -> None:
        """Stop listening."""
        self._waiting.clear()
        self._end()

    @property
    def has_more(self) -> bool:
        """Tell whether an event can be read without waiting."""
        return bool(self._waiting)

    def __aiter__(self) -> Listener:
        return self

    async def __anext__(self) -> Event:
        """Return the next event. Raises ReaderTooSlow: this one was dropped."""
        while not self._waiting:
            if self.error is not None:
                raise self.error
            if self._is_over:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        event = self._waiting.popleft()
        self._bytes -= size_bytes(event)
        return event

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._news.set()
            self._on_leave(self)


class Audience:
    """All who listen to one session, within the limits of sessions, and what the models carry."""

    def __init__(self, limits: Live, admit: Admit) -> None:
        self.listeners: list[Listener] = []
        self._limits, self._admit = limits, admit

    def check_listener(self, options: LiveOptions, more: Mapping[str, bool]) -> None:
        """Refuse one listener too many, or languages that it may not have.

        Args:
            options: of the session.
            more: languages that it wants, and whether it wants them spoken.

        Raises:
            Unprocessable: too many listen, or there are too many languages.
            Overloaded: the models cannot carry its languages.
        """
        if len(self.listeners) >= self._limits.max_listeners:
            message = f"a session has at most {self._limits.max_listeners} listeners"
            raise Unprocessable(message, param="follow")
        wanted = self.wanted(options)
        after = wanted | {to: speaks or wanted.get(to, False) for to, speaks in more.items()}
        self._check_number(after)
        if after != wanted:
            self._admit(Demand.of(options, after), Demand.of(options, wanted))

    def check_options(self, options: LiveOptions, before: LiveOptions | None = None) -> None:
        """Refuse options that a session may not have; ``before``: those that it has.

        Raises:
            Unprocessable: there are too many languages.
            Overloaded: the models cannot carry what is asked for in addition.
        """
        self._check_number(wanted := self.wanted(options))
        if before is not None:
            self._admit(Demand.of(options, wanted), Demand.of(before, self.wanted(before)))

    def _check_number(self, wanted: Mapping[str, bool]) -> None:
        if len(wanted) > self._limits.max_targets:
            message = f"a session is translated to at most {self._limits.max_targets} languages"
            raise Unprocessable(message, param="targets")

    def wanted(self, options: LiveOptions) -> dict[str, bool]:
        """Return every language that anybody wants, and whether anybody wants it spoken."""
        wanted = dict.fromkeys(options.targets, options.speaks)
        for listener in self.listeners:
            speaks = options.speaks if listener.speaks is None else listener.speaks
            for target in listener.targets or ():
                wanted[target] = wanted.get(target, False) or speaks
        return wanted

    def tell(self, event: Event, options: LiveOptions, leaving: Collection[str]) -> None:
        """Hand an event to those who want it.

        Args:
            event: of the session.
            options: what the session is asked for.
            leaving: languages that it asked for until now, whose last sentence is still told.
        """
        target = None
        if isinstance(event, TranslationDelta | SentenceDone | SpeechDelta):
            target = event.target
        own = (*options.targets, *leaving)
        for listener in list(self.listeners):
            wanted = own if listener.targets is None else listener.targets
            if target is not None and target not in wanted:
                continue
            speaks = options.speaks if listener.speaks is None else listener.speaks
            if speaks or not isinstance(event, SpeechDelta):
                listener.put(event)
