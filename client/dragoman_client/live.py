# Generated from async_live.py by `make generate`: change that file.
"""Live: speech translated while it is spoken."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import httpx

from . import errors, headers
from .attempts import REAL_CLOCKS, Attempts
from .connection import Connection
from .glossary_types import Glossary
from .live_feeders import Feeder
from .live_protocol import LiveProtocol, Message, frames_of
from .live_sockets import ABORTED, Refused, Socket, SocketClosed, websocket_url
from .live_transcription import Transcription
from .live_translation import Following, Translation
from .live_types import BlockingAudio, Closed, Delay, LiveEvent, LiveOptions, Problem
from .policy import Retry, Timeout


class LiveSession:
    """A live session: a context manager, and an iterator of events that ends when all is answered.

    Connecting is tried again as the client's :class:`Retry` says. A session that breaks off later
    raises :class:`SessionLost`, which says what was lost; whether to begin another is the caller's.
    """

    def __init__(
        self,
        http: httpx.Client,
        protocol: LiveProtocol,
        audio: BlockingAudio | None,
        *,
        timeout: Timeout,
        retry: Retry,
        paced: bool,
    ) -> None:
        self._http, self._protocol, self._audio = http, protocol, audio
        self._timeout, self._retry, self._paced = timeout, retry, paced
        self._socket: Socket | None = None
        self._feeder: Feeder | None = None
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

    def __enter__(self) -> Self:
        self._socket = self._connected()
        try:
            self._agreed()
        except BaseException:
            self._socket.close(ABORTED)
            raise
        if self._audio is not None:
            self._feeder = Feeder(
                self._audio, self.send, self._flush, self._abort, paced=self._paced
            )
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        if self._feeder is not None:
            self._feeder.stop()
        if self._socket is not None:
            self._socket.close(1000 if self._protocol.is_closed else ABORTED)

    def send(self, pcm: bytes) -> None:
        """Send audio: PCM of 16 bits, one channel, 24 kHz, of any length.

        It waits while the server takes no more. Raise SessionLost.
        """
        for frame in frames_of(self._rest, pcm):
            self._send_frame(frame)

    def finish(self) -> None:
        """Send no more audio. The iterator goes on until all that was sent is answered."""
        if self._feeder is not None:
            self._feeder.stop()
        self._flush()

    def _flush(self) -> None:
        if self._is_finishing:
            return
        if whole := len(self._rest) // 2 * 2:
            self._send_frame(bytes(self._rest[:whole]))
        self._is_finishing = True
        for message in self._protocol.finish():
            self._send(message)

    def __iter__(self) -> Iterator[LiveEvent]:
        while not self._protocol.is_closed:
            kind, message = self._receive()
            for event in self._protocol.events(kind, message):
                if isinstance(event, Problem):
                    self._last_problem = event.message
                yield event
                if isinstance(event, Closed):
                    return

    # ---- the socket ---------------------------------------------------------------------

    def _connected(self) -> Socket:
        """Shake hands, as often as the client's retries allow."""
        url = websocket_url(self._http.base_url, self._protocol.path, self._protocol.query())
        attempts = Attempts(self._request(url), self._retry, REAL_CLOCKS)
        while True:
            attempts.begin()
            request = self._request(url)  # without the deadline of a call: a session has none
            try:
                return Socket.open(request)
            except Refused as refused:
                wait_s = attempts.wait_after_response_s(refused.response)
                if wait_s is None:
                    request_id = request.headers[headers.REQUEST_ID]
                    raise errors.from_response(refused.response, request_id) from None
            except httpx.TransportError as error:
                wait_s = attempts.wait_after_error_s(error)
                if wait_s is None:
                    raise errors.from_transport(error, request) from error
            time.sleep(wait_s)

    def _request(self, url: httpx.URL) -> httpx.Request:
        return httpx.Request(
            "GET",
            url,
            headers={**self._http.headers, headers.REQUEST_ID: uuid.uuid4().hex},
            extensions={"timeout": self._timeout.to_httpx().as_dict()},
        )

    def _agreed(self) -> None:
        """Wait for the session, and tell it what is wanted. Raise the error that it answers."""
        update = self._protocol.update()
        wanted = ["session.created"] if update is None else ["session.created", "session.updated"]
        for expected in wanted:
            message = self._answer(expected)
            if expected == "session.created":
                self._protocol.created(message)
                if update is not None:
                    self._send(update)

    def _answer(self, expected: str) -> Message:
        """Wait for a message of this type. Raise the error that comes in its place."""
        while True:
            kind, message = self._receive(self._timeout.total_s)
            if kind == "error":
                raise errors.from_event(message.get("error") or {})
            if kind == expected:
                return message

    def _send_frame(self, pcm: bytes) -> None:
        if self._is_finishing:
            raise RuntimeError("no audio can be sent after `finish`")
        self._send(self._protocol.append(pcm))
        self._protocol.sent(pcm)

    def _send(self, message: Message) -> None:
        try:
            self._open_socket().send(json.dumps(message))
        except SocketClosed as closed:
            raise self._protocol.lost(self._why(closed)) from closed

    def _receive(self, timeout_s: float | None = None) -> tuple[str, Message]:
        """Return the next message. The wait is bounded once all is sent, or as ``timeout_s`` is."""
        if self._is_finishing:
            timeout_s = self._timeout.total_s
        try:
            text = self._open_socket().receive(timeout_s)
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

    def _open_socket(self) -> Socket:
        if self._socket is None:
            raise RuntimeError("the session is not open: use it in a `with` block")
        return self._socket

    def _abort(self) -> None:
        self._open_socket().close(ABORTED)


class Live(Connection):
    """The part of :class:`Client` that opens live sessions."""

    def live(
        self,
        to: str | Sequence[str] | None = None,
        audio: BlockingAudio | None = None,
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
    ) -> LiveSession:
        """Translate speech while it is spoken; without ``to`` it is written down alone.

        ``audio`` is a path, bytes, a file or an iterator, as :data:`BlockingAudio` says, or
        :func:`microphone`; without it, :meth:`LiveSession.send` is yours. It goes as fast as
        the server takes it, or with ``paced`` no faster than it was spoken.

        Without ``source_language`` it is detected, among ``languages`` where some are given. A
        longer ``delay`` makes fewer mistakes. ``voice`` is one of :meth:`voices`, or ``source`` for
        the speaker's own; with ``text_only`` nothing is spoken. Others :meth:`follow` the session
        by its ``name``. ``extras`` asks for what the protocol itself does not have: partial text,
        ends of sentences, notices. ``glossary`` holds terms that must come out right.

        >>> with client.live("pt", "talk.wav") as session:
        ...     for event in session:
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
    ) -> LiveSession:
        """Listen to the live session of that ``name`` in a language; nothing can be sent.

        >>> with client.follow("lecture", "fr", text_only=True) as session:
        ...     for event in session: ...
        """
        options = LiveOptions((language,), text_only=text_only, name=name, extras=extras)
        return self._session(Following(options), None, paced=False)

    def _session(
        self, protocol: LiveProtocol, audio: BlockingAudio | None, *, paced: bool
    ) -> LiveSession:
        return LiveSession(
            self._http, protocol, audio, timeout=self._timeout, retry=self._retry, paced=paced
        )
