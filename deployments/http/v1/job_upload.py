"""Take in the form of a job, whose recording goes to the library piece by piece."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from deployments.config.library import Jobs as Settings
from deployments.config.schema import Limits
from deployments.http.forms import FormParser, check_charset
from deployments.http.middleware.admission import STOPPING, Admission
from deployments.http.middleware.bodies import RATE_WINDOW_S
from deployments.library.sealing import PIECE_BYTES
from models.errors import BodyTooSlow, Draining, InvalidRequest, TooLarge

R = TypeVar("R")
PIECES_AHEAD = 2  # that wait to be written


class Abandoned(Exception):
    """The recording does not come to its end: nothing of it is kept."""


class Upload:
    """The recording of one form, on its way to a thread that writes it.

    ``taken`` runs on that thread; everything else on the event loop.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pieces = asyncio.Queue[bytes | None](PIECES_AHEAD)
        self._gathered = bytearray()
        self._has_ended = False
        self.filename: str | None = None

    def taken(self) -> Iterator[bytes]:
        """Yield the recording in pieces of ``PIECE_BYTES``; the last may be shorter.

        Raises:
            Abandoned: it does not come to its end.
        """
        while (piece := self._next()) is not None:
            yield piece
        if not self._has_ended:
            raise Abandoned

    def _next(self) -> bytes | None:
        return asyncio.run_coroutine_threadsafe(self._pieces.get(), self._loop).result()

    async def add(self, data: bytes) -> None:
        """Add what came; wait while the writer is behind."""
        self._gathered += data
        while len(self._gathered) >= PIECE_BYTES:
            await self._pieces.put(bytes(self._gathered[:PIECE_BYTES]))
            del self._gathered[:PIECE_BYTES]

    async def end(self) -> None:
        """Add the rest: the form is whole, and what it asks for can be done."""
        if self._gathered:
            await self._pieces.put(bytes(self._gathered))
        self._has_ended = True
        await self._pieces.put(None)

    def abandon(self) -> None:
        """Let the writer write no more, and keep nothing."""
        while not self._pieces.empty():
            self._pieces.get_nowait()
        self._pieces.put_nowait(None)


class _File(UploadFile):
    """The file of a form, which is passed on as it comes."""

    def __init__(self, filename: str, upload: Upload) -> None:
        super().__init__(io.BytesIO(), filename=filename)
        self._upload = upload

    async def write(self, data: bytes) -> None:
        await self._upload.add(data)

    async def seek(self, offset: int) -> None:
        pass


class _Parser(FormParser):
    def __init__(
        self, request: Request, stream: AsyncGenerator[bytes, None], upload: Upload
    ) -> None:
        super().__init__(request, stream)
        self._upload = upload

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        part = self._current_part
        if part.file is None:
            return
        if part.field_name != "file":
            message = f"{part.field_name[:80]} is not a file of this request; file is"
            raise InvalidRequest(message, param="file")
        if self._upload.filename is not None:
            raise InvalidRequest("file must stand once: a job has one recording", param="file")
        self._upload.filename = part.file.filename or ""
        part.file.file.close()  # Starlette's own, in which nothing is
        part.file = _File(self._upload.filename, self._upload)


async def receive(
    request: Request, upload: Upload, settings: Settings, limits: Limits, admission: Admission
) -> FormData:
    """Read a form to its end, while its recording is passed on.

    Raises:
        InvalidRequest: it is malformed, or has no file.
        TooLarge: it has too many bytes.
        BodyTooSlow: it came slower than it must, or took too long.
        Draining: the server is stopping.
        ClientDisconnect: the caller left.
    """
    check_charset(request.headers.get("content-type"))
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > settings.max_bytes:
        raise _too_large(settings)
    stream = _bounded(request, settings, limits, admission)
    async with aclosing(stream):
        try:
            form = await _Parser(request, stream, upload).parse()
        except MultiPartException as error:
            raise InvalidRequest(f"malformed request: {error.message}", param="body") from error
    if upload.filename is None:
        message = "file is required, as an uploaded file: the recording to work on"
        raise InvalidRequest(message, param="file")
    if "file" not in form:  # whose parts are those that have ended
        raise InvalidRequest("malformed request: the form ends early", param="body")
    return form


def _too_large(settings: Settings) -> TooLarge:
    return TooLarge(f"a job's form must have at most {settings.max_bytes} bytes", param="body")


async def _bounded(
    request: Request, settings: Settings, limits: Limits, admission: Admission
) -> AsyncGenerator[bytes, None]:
    """Yield a body as it comes, within its bounds of bytes and time."""
    loop = asyncio.get_running_loop()
    began_s, size_bytes, waited_s = loop.time(), 0, 0.0
    stopping = asyncio.create_task(admission.stopping.wait())
    try:
        async with aclosing(request.stream()) as stream:
            while True:
                asked_s = loop.time()
                piece = await _next(stream, stopping)
                waited_s += loop.time() - asked_s
                if piece is None:
                    return
                size_bytes += len(piece)
                if size_bytes > settings.max_bytes:
                    raise _too_large(settings)
                least = limits.min_receive_bytes_s
                if waited_s > RATE_WINDOW_S and size_bytes < least * waited_s:
                    raise _too_slow(limits)
                if loop.time() - began_s > settings.receive_timeout_s:
                    message = "the body took longer than this server gives one"
                    raise BodyTooSlow(message, param="body")
                yield piece
    finally:
        stopping.cancel()


async def _next(stream: Any, stopping: asyncio.Task[Any]) -> bytes | None:
    """Wait for the next piece of a body; None: its end."""
    coming = asyncio.ensure_future(anext(stream, None))
    try:
        await asyncio.wait(
            {coming, stopping}, timeout=RATE_WINDOW_S, return_when=asyncio.FIRST_COMPLETED
        )
        if coming.done():
            piece: bytes | None = await coming
            return piece
        if stopping.done():
            raise Draining(STOPPING)
        raise BodyTooSlow(f"nothing came of the body for {RATE_WINDOW_S:g} s", param="body")
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)  # the stream is not asked any more


def _too_slow(limits: Limits) -> BodyTooSlow:
    least = limits.min_receive_bytes_s
    return BodyTooSlow(f"a body must come at {least:g} bytes a second at least", param="body")


async def alongside(
    upload: Upload, writing: Callable[[], R], reading: Coroutine[Any, Any, None], threads: Executor
) -> R:
    """Write what comes on a thread, while it is read; if one of the two fails, so does the other.

    Args:
        upload: what is written and read.
        writing: the call that takes it.
        reading: reads the request.
        threads: for such calls alone: each takes one for as long as its caller sends.
    """
    written = asyncio.get_running_loop().run_in_executor(threads, writing)
    read = asyncio.create_task(reading)
    try:
        await asyncio.wait({written, read}, return_when=asyncio.FIRST_COMPLETED)
        if read.done():
            await read
        return await written
    finally:
        read.cancel()
        if not written.done():
            upload.abandon()
        await asyncio.gather(read, written, return_exceptions=True)
