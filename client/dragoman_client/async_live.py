"""AsyncLive: speech translated while it is spoken."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Self

import httpx

from . import errors, headers
from .async_connection import AsyncConnection
from .attempts import REAL_CLOCKS, Attempts
from .glossary_types import Glossary
from .live_feeders import AsyncFeeder
from .live_protocol import LiveProtocol, Message, frames_of
from .live_sockets import ABORTED, AsyncSocket, Refused, SocketClosed, websocket_url
from .live_transcription import Transcription
from .live_translation import Following, Translation
from .live_types import Closed, Delay, LiveAudio, LiveEvent, LiveOptions, Problem
from .policy import Retry, Timeout


class AsyncLiveSession:
    """A live session: a context manager, and an iterator of events that ends when all is answered.

    Connecting is tried again as the client's :class:`Retry` says. A session that breaks off later
    raises :class:`SessionLost`, which says what was lost; whether to begin another is the caller's.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        protocol: LiveProtocol,
        audio: LiveAudio | None,
        *,
        timeout: Timeout,
        retry: Retry,
        paced: bool,
    ) -> None:
        self._http, self._protocol, self._audio = http, protocol, audio
        self._timeout, self._retry, self._paced = timeout, retry, paced
        self._socket: AsyncSocket | None = None
        self._feeder: AsyncFeeder | None = None
        self._rest = bytearray()  # audio that is no whole frame yet
        self._is_finishing = False
        self._last_problem: str | None = None

    @property
    def id(self) -> str | None:
        """Return the server's id of the session."""
        return self._protocol.session_id

    @property
    def sent_s(self) -> float:
        """Return how much audio was sent so far."""
        return self._protocol.sent_s

    @property
    def answered_s(self) -> float:
        """Return the place in the audio up to which all is answered."""
        return self._protocol.answered_s

    async def __aenter__(self) -> Self:
        self._socket = await self._connected()
        try:
            await self._agreed()
        except BaseException:
            await self._socket.close(ABORTED)
            raise
        if self._audio is not None:
            self._feeder = AsyncFeeder(
                self._audio, self.send, self._flush, self._abort, paced=self._paced
            )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        if self._feeder is not None:
            await self._feeder.stop()
        if self._socket is not None:
            await self._socket.close(1000 if self._protocol.is_closed else ABORTED)

    async def send(self, pcm: bytes) -> None:
        """Send audio: PCM of 16 bits, one channel, 24 kHz, of any length.

        It waits while the server takes no more. Raise SessionLost.
        """
        for frame in frames_of(self._rest, pcm):
            await self._send_frame(frame)

    async def finish(self) -> None:
        """Send no more audio. The iterator goes on until all that was sent is answered."""
        if self._feeder is not None:
            await self._feeder.stop()
        await self._flush()

    async def _flush(self) -> None:
        if self._is_finishing:
            return
        if whole := len(self._rest) // 2 * 2:
            await self._send_frame(bytes(self._rest[:whole]))
        self._is_finishing = True
        for message in self._protocol.finish():
            await self._send(message)

    async def __aiter__(self) -> AsyncIterator[LiveEvent]:
        while not self._protocol.is_closed:
            kind, message = await self._receive()
            for event in self._protocol.events(kind, message):
                if isinstance(event, Problem):
                    self._last_problem = event.message
                yield event
                if isinstance(event, Closed):
                    return

    # ---- the socket ---------------------------------------------------------------------

    async def _connected(self) -> AsyncSocket:
        """Shake hands, as often as the client's retries allow."""
        url = websocket_url(self._http.base_url, self._protocol.path, self._protocol.query())
        attempts = Attempts(self._request(url), self._retry, REAL_CLOCKS)
        while True:
            attempts.begin()
            request = self._request(url)  # without the deadline of a call: a session has none
            try:
                return await AsyncSocket.open(request)
            except Refused as refused:
                wait_s = attempts.wait_after_response_s(refused.response)
                if wait_s is None:
                    request_id = request.headers[headers.REQUEST_ID]
                    raise errors.from_response(refused.response, request_id) from None
            except httpx.TransportError as error:
                wait_s = attempts.wait_after_error_s(error)
                if wait_s is None:
                    raise errors.from_transport(error, request) from error
            await asyncio.sleep(wait_s)

    def _request(self, url: httpx.URL) -> httpx.Request:
        return httpx.Request(
            "GET",
            url,
            headers={**self._http.headers, headers.REQUEST_ID: uuid.uuid4().hex},
            extensions={"timeout": self._timeout.to_httpx().as_dict()},
        )

    async def _agreed(self) -> None:
        """Wait for the session, and tell it what is wanted. Raise the error that it answers."""
        update = self._protocol.update()
        wanted = ["session.created"] if update is None else ["session.created", "session.updated"]
        for expected in wanted:
            message = await self._answer(expected)
            if expected == "session.created":
                self._protocol.created(message)
                if update is not None:
                    await self._send(update)

    async def _answer(self, expected: str) -> Message:
        """Wait for a message of this type. Raise the error that comes in its place."""
        while True:
            kind, message = await self._receive(self._timeout.total_s)
            if kind == "error":
                raise errors.from_event(message.get("error") or {})
            if kind == expected:
                return message

    async def _send_frame(self, pcm: bytes) -> None:
        if self._is_finishing:
            raise RuntimeError("no audio can be sent after `finish`")
        await self._send(self._protocol.append(pcm))
        self._protocol.sent(pcm)

    async def _send(self, message: Message) -> None:
        try:
            await self._open_socket().send(json.dumps(message))
        except SocketClosed as closed:
            raise self._protocol.lost(self._why(closed)) from closed

    async def _receive(self, timeout_s: float | None = None) -> tuple[str, Message]:
        """Return the next message. The wait is bounded once all is sent, or as ``timeout_s`` is."""
        if self._is_finishing:
            timeout_s = self._timeout.total_s
        try:
            text = await self._open_socket().receive(timeout_s)
        except SocketClosed as closed:
            if self._feeder is not None and self._feeder.error is not None:
                raise self._feeder.error from None
            raise self._protocol.lost(self._why(closed)) from closed
        except TimeoutError:
            raise errors.TimeoutError(
                f"no event of the live session within {timeout_s} s"
            ) from None
        return self._protocol.read(text)

    def _why(self, closed: SocketClosed) -> str:
        return f"{closed}: {self._last_problem}" if self._last_problem else str(closed)

    def _open_socket(self) -> AsyncSocket:
        if self._socket is None:
            raise RuntimeError("the session is not open: use it in a `with` block")
        return self._socket

    async def _abort(self) -> None:
        await self._open_socket().close(ABORTED)


class AsyncLive(AsyncConnection):
    """The part of :class:`AsyncClient` that opens live sessions."""

    def live(
        self,
        to: str | Sequence[str] | None = None,
        audio: LiveAudio | None = None,
        *,
        source_language: str | None = None,
        languages: Sequence[str] = (),
        delay: Delay | None = None,
        voice: str | None = None,
        text_only: bool = False,
        name: str | None = None,
        extras: bool = True,
        paced: bool = False,
        glossary: Glossary | None = None,
    ) -> AsyncLiveSession:
        """Translate speech while it is spoken; without ``to`` it is written down alone.

        ``audio`` is a path, bytes, a file or an iterator, as :data:`LiveAudio` says, or
        :func:`microphone`; without it, :meth:`AsyncLiveSession.send` is yours. It goes as fast as
        the server takes it, or with ``paced`` no faster than it was spoken.

        Without ``source_language`` it is detected, among ``languages`` where some are given. A
        longer ``delay`` makes fewer mistakes. ``voice`` is one of :meth:`voices`, or ``source`` for
        the speaker's own; with ``text_only`` nothing is spoken. Others :meth:`follow` the session
        by its ``name``. ``extras`` asks for what the protocol itself does not have: partial text,
        ends of sentences, notices. ``glossary`` holds terms that must come out right.

        >>> async with client.live("pt", "talk.wav") as session:
        ...     async for event in session:
        ...         match event:
        ...             case TranslatedText(text=text):
        ...                 print(text, end="", flush=True)
        ...             case TranslatedSpeech(pcm=pcm):
        ...                 loudspeaker.play(pcm)
        """
        targets = (to,) if isinstance(to, str) else tuple(to or ())
        options = LiveOptions(
            targets,
            source_language,
            tuple(languages),
            delay,
            voice,
            text_only,
            name,
            extras,
            glossary,
        )
        protocol = Translation(options) if targets else Transcription(options)
        return self._session(protocol, audio, paced=paced)

    def follow(
        self, name: str, language: str, *, text_only: bool = False, extras: bool = True
    ) -> AsyncLiveSession:
        """Listen to the live session of that ``name`` in a language; nothing can be sent.

        >>> async with client.follow("lecture", "fr", text_only=True) as session:
        ...     async for event in session: ...
        """
        options = LiveOptions((language,), text_only=text_only, name=name, extras=extras)
        return self._session(Following(options), None, paced=False)

    def _session(
        self, protocol: LiveProtocol, audio: LiveAudio | None, *, paced: bool
    ) -> AsyncLiveSession:
        return AsyncLiveSession(
            self._http, protocol, audio, timeout=self._timeout, retry=self._retry, paced=paced
        )
