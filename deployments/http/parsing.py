"""Read what callers send into types: forms, JSON bodies and headers; errors name the field."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope

from deployments.config.schema import Limits
from deployments.graph.bounds import FASTEST, SLOWEST
from deployments.graph.context import Context
from deployments.http.field_errors import MAX_ECHO_CHARS, what_is_wrong
from deployments.http.forms import form_values, read_form, uploads_of
from deployments.http.middleware.bodies import BEGAN
from deployments.telemetry.log import printable
from models.errors import DragomanError, InvalidRequest, TooLarge
from models.text.languages import language_code
from models.types import AnswerWarning

TIMEOUT_HEADER = "x-timeout-ms"
PRIORITY_HEADER = "x-priority"
WARNINGS_HEADER = "x-warnings"  # the codes of an answer's warnings, each once
IGNORED_HEADER = "x-ignored-fields"  # the fields of a request that changed nothing
LONG_BYTES = 1 << 16  # of fields, from which on their reading would hold up the event loop
MAX_IGNORED, MAX_IGNORED_CHARS = 16, 40  # how many of them are named, and in how many characters

Speed = Annotated[float, Field(ge=SLOWEST, le=FASTEST)]


def _language(value: Any) -> Any:
    return language_code(value) if isinstance(value, str) else value


def _named_language(value: Any) -> Any:
    code = _language(value)
    if code is None and value is not None:
        raise ValueError("must name a language, such as en: it is not detected here")
    return code


# ISO 639-1, from whatever a language is called; see ``language_code``.
Language = Annotated[str, BeforeValidator(_named_language)]
DetectedLanguage = Annotated[str | None, BeforeValidator(_language)]  # None: as it is heard


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("must be text that UTF-8 can hold") from error
    return text


Text = Annotated[str, AfterValidator(_encodable)]


class Fields(BaseModel):
    """Base of every request: an unknown field is an error, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ForgivingFields(Fields):
    """Base of OpenAI's requests: an unknown field is ignored, and a header of the answer names it.

    What a client sends beyond them is meant for other models or is of no effect here. A null is a
    field that was left out.
    """

    model_config = ConfigDict(extra="allow")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, values: dict[str, Any]) -> dict[str, Any]:
        # Half a surrogate pair, which JSON may hold, is no name to pydantic.
        return {
            name.encode(errors="replace").decode(): value
            for name, value in values.items()
            if value is not None
        }

    def ignored(self) -> str:
        """Return the names for ``IGNORED_HEADER``, without what stands in brackets behind them."""
        names = dict.fromkeys(name.partition("[")[0] for name in self.model_extra or ())
        told = [_header_name(name) for name in islice(names, MAX_IGNORED)]
        return ", ".join([*told, *(["..."] if len(names) > MAX_IGNORED else [])])


def _header_name(text: str) -> str:
    """Return a caller's text as a header may have it, without what would end a name or a line."""
    short = text[:MAX_IGNORED_CHARS]
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-.") else "?" for c in short) or "?"


FieldsT = TypeVar("FieldsT", bound=Fields)


def context_of(request: Request, limits: Limits) -> Context:
    """Make what goes with the request through every stage."""
    headers = request.headers
    deadline = deadline_of(request.scope, headers.get(TIMEOUT_HEADER), limits)
    return Context(deadline, priority_of(headers.get(PRIORITY_HEADER)))


def priority_of(asked: str | None) -> int:
    """Return the caller's priority; 0: none. Raises InvalidRequest: it is no whole number."""
    if asked is None:
        return 0
    if not (asked.isascii() and asked.isdigit()):
        message = f"{PRIORITY_HEADER} must be a whole number, 1 for the most urgent"
        raise InvalidRequest(message, param=PRIORITY_HEADER)
    return int(asked[:9])


def deadline_of(scope: Scope, timeout_ms: str | None, limits: Limits) -> float:
    """Return the caller's deadline on the event loop's clock, within the server's own limit.

    Time counts from the head of a request, however long its body took.

    Raises:
        InvalidRequest: the header is not a positive number.
    """
    timeout_s = limits.request_timeout_s
    if timeout_ms is not None:
        try:
            asked_ms = float(timeout_ms)
        except ValueError:
            asked_ms = math.nan
        if not asked_ms > 0:
            message = f"{TIMEOUT_HEADER} must be a positive number of milliseconds"
            raise InvalidRequest(message, param=TIMEOUT_HEADER)
        timeout_s = min(timeout_s, asked_ms / 1000)
    began_s: float | None = scope.get("state", {}).get(BEGAN)
    return (asyncio.get_running_loop().time() if began_s is None else began_s) + timeout_s


async def body(receive: Receive) -> bytes:
    """Read the whole body of a request; a single piece is not copied.

    Raises:
        ClientDisconnect: the client left while it sent.
    """
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def json_fields(request: Request, fields: type[FieldsT], limits: Limits) -> FieldsT:
    """Read the typed fields of a JSON body.

    Raises:
        InvalidRequest: not JSON, not an object, or a field is wrong.
        TooLarge: more bytes than a JSON body may have.
    """
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > limits.max_json_bytes:
            message = f"a JSON body must have at most {limits.max_json_bytes} bytes"
            raise TooLarge(message, param="body")
    return await _beside(len(data), lambda: _json_fields(request, data, fields))


def _json_fields(request: Request, data: bytearray, fields: type[FieldsT]) -> FieldsT:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        sent = media_type_of(request)
        named = "" if sent == "application/json" else f" (application/json), not {sent}"
        raise InvalidRequest(f"the body must be JSON{named}: {error}", param="body") from error
    if not isinstance(body, dict):
        raise InvalidRequest("the body must be a JSON object", param="body")
    return validated(fields, body)


async def _beside(size_bytes: int, read: Callable[[], FieldsT]) -> FieldsT:
    """Read fields; where they are long, on a thread, beside what others ask."""
    return await asyncio.to_thread(read) if size_bytes > LONG_BYTES else read()


async def form_fields(
    request: Request, fields: type[FieldsT], *, max_files: int = 1
) -> tuple[FieldsT, list[bytes]]:
    """Read the typed fields of a multipart form, and the bytes of its ``file`` parts.

    A name that ends in ``[]`` or ``[0]``, or stands more than once, is a list. A field without a
    value is one that was left out: forms send what nobody filled in.

    Raises:
        InvalidRequest: not a form, no file, or a field is wrong.
        TooLarge: more files than the endpoint takes.
    """
    values, (files,) = await form_parts(request, fields, ("file",), max_files=max_files)
    return values, files


async def form_parts(
    request: Request, fields: type[FieldsT], file_names: Sequence[str], *, max_files: int
) -> tuple[FieldsT, list[list[bytes]]]:
    """Read a form whose files have several names; else like ``form_fields``.

    The first name must stand in the form; ``max_files`` bounds all of them together.
    """
    if (sent := media_type_of(request)) != "multipart/form-data":
        message = f"the body must be multipart/form-data, not {sent}"
        raise InvalidRequest(message, param="body")
    form = await read_form(request)
    try:
        values = form_values(form, names_of(fields), file_names)
        size_bytes = sum(len(value) for value in values.values() if isinstance(value, str))
        typed = await _beside(size_bytes, lambda: validated(fields, values))
        uploads = uploads_of(form, file_names, max_files)
        return typed, [[await upload.read() for upload in named] for named in uploads]
    finally:
        await form.close()


def media_type_of(request: Request) -> str:
    """Return the media type of the body, in small letters and short enough for a message."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return printable(media_type[:MAX_ECHO_CHARS]) or "a body of no content-type"


@cache
def names_of(fields: type[Fields]) -> frozenset[str]:
    """Return all names that a request's fields may have."""
    aliases = [field.alias for field in fields.model_fields.values() if field.alias]
    return frozenset([*fields.model_fields, *aliases])


def validated(fields: type[FieldsT], values: dict[str, Any]) -> FieldsT:
    """Return the typed fields of a request. Raises InvalidRequest: one is wrong."""
    known = names_of(fields)
    is_strict = not issubclass(fields, ForgivingFields)
    for name in values if is_strict else ():  # before pydantic, which makes an error of each one
        if name not in known:
            param = name[:MAX_ECHO_CHARS]
            raise InvalidRequest(f"{param} is not a field of this request", param=param)
    try:
        return fields.model_validate(values)
    except ValidationError as error:
        message, param = what_is_wrong(error)
        raise InvalidRequest(message, param=param) from error


def naming_ignored(response: Response, fields: ForgivingFields) -> Response:
    """Say in a header which fields of the request changed nothing."""
    if ignored := fields.ignored():
        response.headers[IGNORED_HEADER] = ignored
    return response


def timed(response: Response, context: Context) -> Response:
    """Add the stages' times (``Server-Timing``) and the codes of the warnings (``x-warnings``)."""
    response.headers["server-timing"] = context.timings.server_timing()
    if context.warnings:
        codes = dict.fromkeys(warning.code for warning in context.warnings)
        response.headers[WARNINGS_HEADER] = ", ".join(codes)
    return response


def warnings_json(warnings: Sequence[AnswerWarning]) -> list[dict[str, str]]:
    """Show warnings as the bodies of answers have them."""
    return [{"code": warning.code, "message": warning.message} for warning in warnings]


@contextmanager
def blaming(param: str, field: str) -> Iterator[None]:
    """Let an error name the request's ``field`` where the models call it ``param``."""
    try:
        yield
    except DragomanError as error:
        if error.param == param:
            error.param = field
        raise
