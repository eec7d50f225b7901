"""Turn a call into a request and an answer into a result; the sync and async clients share it."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeAlias, TypeVar

import httpx
import msgspec

from . import errors, headers, parsing
from .attempts import RETRIES_EXTENSION, STREAM_EXTENSION
from .policy import Timeout
from .server_types import Readiness
from .types import AudioFile

Result = TypeVar("Result")
Form: TypeAlias = dict[str, str | list[str]]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was read, so that a call can be sent again, or one that is sent from its disk."""

    name: str
    content: bytes | BinaryIO = field(repr=False)
    part: str = "file"  # the name of its field in the form


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """One request of the API, and how its answer is read."""

    method: str
    path: str
    parse: Callable[[httpx.Response], Result]
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str | list[str]] | None = None
    uploads: Sequence[Upload] = ()
    answers: frozenset[int] = frozenset()  # error statuses that ``parse`` understands
    retries: bool = True
    timeout: Timeout | None = None  # instead of the client's


def checked_url(text: str) -> httpx.URL:
    """Return the server's address. Raise ValueError if it is not a URL over HTTP."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ValueError(f"base_url {text!r}: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"base_url must be like http://127.0.0.1:8000, got {text!r}")
    return url


def key_header(key: str | None) -> dict[str, str]:
    """Return the header of a key. Raise ValueError, without the text, if it cannot be a key."""
    if key is None:
        return {}
    if not key or not all("!" <= char <= "~" for char in key):
        raise ValueError("key must be printable ASCII without spaces")
    return {"authorization": f"Bearer {key}"}


def as_timeout(timeout: Timeout | float | None) -> Timeout:
    """Read a bare number as the seconds in all."""
    return timeout if isinstance(timeout, Timeout) else Timeout(total_s=timeout)


def form_of(**fields: str | float | None) -> Form:
    """Write form fields as text, and leave out those that are None."""
    return {name: str(value) for name, value in fields.items() if value is not None}


def request(
    http: httpx.Client | httpx.AsyncClient,
    call: Call[Result],
    timeout: Timeout,
    *,
    streams: bool = False,
) -> httpx.Request:
    """Make a call's request, with an id of its own; ``streams``: its answer comes in pieces."""
    return http.build_request(
        call.method,
        call.path,
        json=call.json,
        data=call.form,
        files=[(upload.part, (upload.name, upload.content)) for upload in call.uploads] or None,
        headers={headers.REQUEST_ID: uuid.uuid4().hex},
        timeout=(call.timeout or timeout).to_httpx(),
        extensions={RETRIES_EXTENSION: call.retries, STREAM_EXTENSION: streams},
    )


def result(call: Call[Result], response: httpx.Response) -> Result:
    """Return what the call asked for. Raise StatusError or UnexpectedResponse."""
    request_id = parsing.request_id(response)
    try:
        if response.is_success or response.status_code in call.answers:
            return call.parse(response)
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        if response.is_success:
            reason = f"{response.url} sent no answer of Dragoman's: is it a Dragoman server?"
            raise errors.UnexpectedResponse(
                f"{reason} {error}", status=response.status_code, request_id=request_id
            ) from error
    raise errors.from_response(response, request_id)


def read_upload(file: AudioFile, part: str = "file") -> Upload:
    """Read a path, bytes, or a file opened in binary mode. Raise OSError or TypeError."""
    if isinstance(file, (str, os.PathLike)):
        path = Path(file)
        return Upload(path.name, path.read_bytes(), part)
    if isinstance(file, (bytes, bytearray, memoryview)):
        return Upload("audio", bytes(file), part)
    content = file.read()
    if not isinstance(content, bytes):
        raise TypeError("open the audio file in binary mode: open(path, 'rb')")
    name = getattr(file, "name", None)  # a number for a file of a bare descriptor
    return Upload(Path(name).name if isinstance(name, str) else "audio", content, part)


@contextmanager
def opened_upload(file: AudioFile) -> Iterator[Upload]:
    """Open a file that is read while it is sent. Raise OSError or TypeError."""
    if isinstance(file, (str, os.PathLike)):
        path = Path(file)
        with path.open("rb") as opened:
            yield Upload(path.name, opened)
    else:
        yield read_upload(file)


async def read_upload_async(file: AudioFile, part: str = "file") -> Upload:
    """Do as :func:`read_upload` does, without blocking the event loop."""
    return await asyncio.to_thread(read_upload, file, part)


def what_is_missing(readiness: Readiness) -> str:
    """Name the models that are not ready, and the state of each."""
    waiting = [f"{name} {state}" for name, state in readiness.models.items() if state != "ready"]
    return ", ".join(waiting) or "the server is not ready"
