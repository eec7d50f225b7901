"""Sequences of a stream as live sessions: samples in, texts and speech out as they come.

The first request of a sequence says what it is asked for; each brings samples of one voice track.
The end of the sequence, or of what its stream sends, flushes it; a stream that breaks ends it.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployments.config.names import GRAPH
from deployments.grpc.calls import Call, Calls
from deployments.grpc.infer import Infer
from deployments.grpc.infer_request import Head, Parts
from deployments.grpc.sequence_events import SEQUENCE_ID, Teller
from deployments.http.errors import as_ours
from deployments.http.realtime.conversation import end_in_drain, hear, in_background
from deployments.http.realtime.opened import VoiceOf, with_own_voice
from deployments.inference.kinds.base import Served, required
from deployments.inference.kinds.graph import TASKS, SpeechTranslator
from deployments.inference.requests import wanted_of
from deployments.inference.rows import AUDIO, Rows
from deployments.inference.tensors import InferRequest
from deployments.live.options import DELAYS, LiveOptions
from deployments.live.session import Session
from deployments.live.sessions import Sessions
from models.audio.samples import to_int16
from models.errors import InvalidRequest, QuotaUsed

Write = Callable[[bytes], Awaitable[None]]
START, END = "sequence_start", "sequence_end"
MAX_ID_CHARS = 128
DEFAULT_DELAY = LiveOptions().delay


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says of the sequence that it belongs to."""

    id: int | str
    is_first: bool
    is_last: bool


def sequence_of(parameters: Mapping[str, Any]) -> Asked | None:
    """Return the sequence of a request; None: it stands alone.

    Raises:
        InvalidRequest: a parameter of sequences is wrong.
    """
    id_ = parameters.get(SEQUENCE_ID, 0)
    if type(id_) not in (int, str) or (isinstance(id_, str) and len(id_) > MAX_ID_CHARS):
        message = f"parameter '{SEQUENCE_ID}' must be a whole number, or at most {MAX_ID_CHARS} "
        raise InvalidRequest(f"{message}characters", param=SEQUENCE_ID)
    flags = [parameters.get(name, False) for name in (START, END)]
    for name, flag in zip((START, END), flags, strict=True):
        if not isinstance(flag, bool):
            raise InvalidRequest(f"parameter '{name}' must be true or false", param=name)
    if id_:
        return Asked(id_, *flags)
    if any(flags):
        message = f"parameter '{SEQUENCE_ID}' must name the sequence"
        raise InvalidRequest(message, param=SEQUENCE_ID)
    return None


class Sequences:
    """Open live sessions for the streams of this process.

    Args:
        sessions: opens them.
        infer: reads requests.
        calls: counts a key's use.
        voice_of: finds voices that callers keep.
        max_audio_s: of one request.
    """

    def __init__(
        self,
        sessions: Sessions,
        infer: Infer,
        calls: Calls,
        voice_of: VoiceOf,
        max_audio_s: float,
    ) -> None:
        self._sessions, self.infer = sessions, infer
        self._calls, self._voice_of = calls, voice_of
        self.max_audio_s = max_audio_s

    def of_stream(self, call: Call, write: Write) -> StreamSequences:
        """Return the sequences of one stream; ``write`` sends on it."""
        return StreamSequences(self, call, write)

    def visit(self, call: Call) -> AbstractContextManager[None]:
        """Count a sequence as a running request of its key."""
        return self._calls.visit(call)

    async def open(self, options: LiveOptions, owner: str) -> Session:
        """Open a session. Raises DragomanError: its models, or the limits, do not let it."""
        return self._sessions.open(await with_own_voice(options, owner, self._voice_of), owner)

    async def end_in_drain(self, session: Session) -> None:
        """End a session when the server stops."""
        await end_in_drain(self._calls.admission, session)


class StreamSequences:
    """The sequences of one stream, by their ids."""

    def __init__(self, of_all: Sequences, call: Call, write: Write) -> None:
        self._all, self._call, self._write = of_all, call, write
        self._open: dict[int | str, _Live] = {}

    async def take(
        self, asked: Asked, parts: Parts, head: Head, served: Served, tasks: asyncio.TaskGroup
    ) -> None:
        """Take one request of a sequence; wait while too much of it is unheard.

        Raises:
            DragomanError: it is refused; the sequence stays as it is.
        """
        if not isinstance(served, SpeechTranslator):
            message = f"model '{served.name}' takes no sequences; {GRAPH} does"
            raise InvalidRequest(message, param=SEQUENCE_ID)
        request, rows = await self._all.infer.read(parts, head, served, self._call, max_rows=1)
        live = self._open.get(asked.id)
        if asked.is_first:
            if live is not None:
                raise InvalidRequest(f"sequence {asked.id} is open already", param=START)
            options = _options(request, rows, served)
            live = _Live(self._all, self._call, self._write, Teller(asked.id, request.id))
            self._open[asked.id] = live
            tasks.create_task(live.run(options, lambda: self._open.pop(asked.id)))
            await live.opened
        if live is None:
            message = (
                f"inference request for sequence {asked.id} to model '{served.name}' must specify "
                "the START flag on the first request of the sequence"
            )
            raise InvalidRequest(message, param=START)
        if request.inputs[AUDIO].array.shape[1]:
            (audio,) = rows.audio(self._all.max_audio_s)
            await live.hear(to_int16(audio.samples), audio.sample_rate_hz)
        if asked.is_last:
            live.finish()

    def finish(self) -> None:
        """Flush every sequence: the stream brings nothing more."""
        for live in list(self._open.values()):
            live.finish()


class _Live:
    """One sequence as a live session.

    Attributes:
        opened: done once its session is there; raises why there is none.
    """

    def __init__(self, of_all: Sequences, call: Call, write: Write, teller: Teller) -> None:
        self._all, self._call, self._write, self._teller = of_all, call, write, teller
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._session: Session | None = None
        self._context = contextvars.copy_context()

    async def run(self, options: LiveOptions, closed: Callable[[], object]) -> None:
        """Tell all of the session, from its beginning to its end."""
        caller = self._call.caller
        try:
            with self._all.visit(self._call):
                self._context = contextvars.copy_context()
                owner = "" if caller is None else caller.name
                self._session = session = await self._all.open(options, owner)
                draining = asyncio.create_task(self._all.end_in_drain(session))
                self.opened.set_result(None)
                try:
                    await self._tell(session)
                finally:
                    draining.cancel()
                    if not session.is_over:
                        session.abort()
        except Exception as error:
            if self.opened.done():
                ours = as_ours(error, self._call.request_id)
                await self._write(self._teller.closed(ours))
            else:
                self.opened.set_exception(error)
        finally:
            closed()

    async def _tell(self, session: Session) -> None:
        async for event in session.listen():
            answer = self._teller.answer(event)
            if answer is not None:
                await self._write(answer)

    async def hear(self, samples: NDArray[np.int16], rate_hz: int) -> None:
        """Give the session samples, as fast as it hears them. Raises DragomanError."""
        assert self._session is not None, "it is opened first"
        hearing = hear(self._session, samples, rate_hz)
        try:
            # In the context of the sequence, in which its key counts what it uses.
            await asyncio.get_running_loop().create_task(hearing, context=self._context)
        except QuotaUsed as error:
            in_background(self._session.end(error))

    def finish(self) -> None:
        """Send what is still to come, and end it."""
        if self._session is not None:
            in_background(self._session.finish())


def _options(request: InferRequest, rows: Rows, served: SpeechTranslator) -> LiveOptions:
    """Return what the first request of a sequence asks for."""
    wanted = wanted_of(request)
    delay = request.parameters.get("delay", DEFAULT_DELAY)
    if delay not in DELAYS:
        message = f"parameter 'delay' must be one of {', '.join(DELAYS)}"
        raise InvalidRequest(message, param="delay")
    if rows.has("SPEED"):
        message = "input 'SPEED' is not for sequences: they are as fast as the speaker"
        raise InvalidRequest(message, param="SPEED")
    (task,) = rows.choices("TASK", TASKS)
    (source,), (target,) = rows.languages("SOURCE_LANGUAGE"), rows.languages("TARGET_LANGUAGE")
    (voice,) = rows.texts("VOICE")
    if task == "transcribe":
        return LiveOptions(language=source, delay=delay)
    return LiveOptions(
        language=source,
        delay=delay,
        targets=(required(target, "TARGET_LANGUAGE"),),
        speaks=any(map(wanted, served.spoken)),
        voice=voice,
    )
