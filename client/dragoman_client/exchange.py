"""One exchange with the server: a call as a value, its request, and its result.

What both colours of the client share, without any input or output but that of reading a file:
a client makes the request of a :class:`Call`, sends it, and takes the result.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import httpx

from . import errors, headers, parsing, types
from .transport import RETRIES_EXTENSION, STREAM_EXTENSION, Timeout

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was read. It is held in memory, so that a call can be sent again."""

    name: str
    content: bytes = field(repr=False)
    part: str = "file"  # the field of the form that it stands in


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
    """Checks the server's address. Raises ValueError if it is not a URL over HTTP."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ValueError(f"base_url {text!r}: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"base_url must be like http://127.0.0.1:8000, got {text!r}")
    return url


def key_header(key: str | None) -> dict[str, str]:
    """The header that a key travels in. Raises ValueError if it is none; its text is not told."""
    if key is None:
        return {}
    if not key or not all("!" <= char <= "~" for char in key):
        raise ValueError("key must be printable ASCII without spaces")
    return {"authorization": f"Bearer {key}"}


def as_timeout(timeout: Timeout | float | None) -> Timeout:
    """A bare number means the seconds in all."""
    return timeout if isinstance(timeout, Timeout) else Timeout(total_s=timeout)


def request(
    http: httpx.Client | httpx.AsyncClient,
    call: Call[Result],
    timeout: Timeout,
    *,
    streams: bool = False,
) -> httpx.Request:
    """The request of a call, with an id of its own; ``streams``: its answer is read in pieces."""
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
    """What the call asked for. Raises StatusError, or UnexpectedResponse."""
    request_id = parsing.request_id(response)
    answered = response.is_success or response.status_code in call.answers
    try:
        if answered:
            return call.parse(response)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if response.is_success:
            message = f"{response.url} sent no answer of Dragoman's: is it a Dragoman server?"
            status = response.status_code
            raise errors.UnexpectedResponse(
                message, status=status, request_id=request_id
            ) from error
    raise errors.from_response(response, request_id)


def read_upload(file: types.AudioFile) -> Upload:
    """Reads a file of any of the kinds that the client takes. Raises OSError, TypeError."""
    if isinstance(file, (str, os.PathLike)):
        path = Path(file)
        return Upload(path.name, path.read_bytes())
    if isinstance(file, (bytes, bytearray, memoryview)):
        return Upload("audio", bytes(file))
    content = file.read()
    if not isinstance(content, bytes):
        raise TypeError("open the audio file in binary mode: open(path, 'rb')")
    name = getattr(file, "name", None)  # an int for a descriptor's file
    return Upload(Path(name).name if isinstance(name, str) else "audio", content)


class ReadinessWait:
    """The judgement of a wait until the server is ready, probe by probe.

    A failed probe counts as "not yet": while a server starts, its port is closed at first, and
    then knows no route.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._deadline_s = time.monotonic() + timeout_s

    def settled(self, seen: types.Readiness | errors.DragomanError) -> types.Readiness | None:
        """The readiness waited for; None means to ask again. Raises TimeoutError."""
        if isinstance(seen, types.Readiness) and seen.ready:
            return seen
        if time.monotonic() < self._deadline_s:
            return None
        message = f"not ready after {self._timeout_s:g} s: {_what_was_seen(seen)}"
        raise errors.TimeoutError(message)


def _what_was_seen(seen: types.Readiness | errors.DragomanError) -> str:
    if isinstance(seen, errors.DragomanError):
        return seen.message
    waiting = [f"{name} {state}" for name, state in seen.models.items() if state != "ready"]
    return ", ".join(waiting) or "the server is not ready"
