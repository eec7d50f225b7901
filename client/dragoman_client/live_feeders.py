"""Send the audio of a live session beside the reading of its events: a thread, or a task."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable

from .live_audio import pieces_of
from .live_types import BYTES_A_S, BlockingAudio, LiveAudio


class Pace:
    """Say how long to wait, so that audio goes no faster than it was spoken."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = monotonic_s
        self._started_s: float | None = None
        self._sent_s = 0.0

    def wait_s(self, pcm: bytes) -> float:
        """Count a piece. Return the time until its last sample would have been spoken."""
        if self._started_s is None:
            self._started_s = self._now_s()
        self._sent_s += len(pcm) / BYTES_A_S
        return max(0.0, self._started_s + self._sent_s - self._now_s())


class AsyncFeeder:
    """A task that sends all of an audio, and then ``finish``.

    What stops it is kept in ``error``, and ``abort`` is called, so that who reads is told.
    """

    def __init__(
        self,
        audio: LiveAudio,
        send: Callable[[bytes], Awaitable[None]],
        finish: Callable[[], Awaitable[None]],
        abort: Callable[[], Awaitable[None]],
        *,
        paced: bool,
    ) -> None:
        self.error: Exception | None = None
        self._send, self._finish, self._abort = send, finish, abort
        self._pace = Pace() if paced else None
        self._task = asyncio.create_task(self._run(audio))

    async def _run(self, audio: LiveAudio) -> None:
        try:
            async for piece in _async_pieces(audio):
                if self._pace is not None:
                    await asyncio.sleep(self._pace.wait_s(piece))
                await self._send(piece)
            await self._finish()
        except Exception as error:
            self.error = error
            await self._abort()

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


async def _async_pieces(audio: LiveAudio) -> AsyncIterator[bytes]:
    if isinstance(audio, AsyncIterable):
        async for piece in audio:
            yield piece
        return
    pieces = await asyncio.to_thread(pieces_of, audio)
    while (read := await asyncio.to_thread(next, pieces, None)) is not None:
        yield read


class Feeder:
    """A thread that does as :class:`AsyncFeeder` does."""

    def __init__(
        self,
        audio: BlockingAudio,
        send: Callable[[bytes], None],
        finish: Callable[[], None],
        abort: Callable[[], None],
        *,
        paced: bool,
    ) -> None:
        self.error: Exception | None = None
        self._send, self._finish, self._abort = send, finish, abort
        self._pace = Pace() if paced else None
        self._is_stopped = threading.Event()
        # A daemon: it may wait for a microphone or for stdin when the session is over.
        threading.Thread(target=self._run, args=(audio,), daemon=True).start()

    def _run(self, audio: BlockingAudio) -> None:
        try:
            if all(map(self._fed, pieces_of(audio))):
                self._finish()
        except Exception as error:
            self.error = error
            if not self._is_stopped.is_set():
                self._abort()

    def _fed(self, piece: bytes) -> bool:
        """Send a piece, unless the session is over."""
        if self._is_stopped.wait(self._pace.wait_s(piece) if self._pace else 0):
            return False
        self._send(piece)
        return True

    def stop(self) -> None:
        self._is_stopped.set()
