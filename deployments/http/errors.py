"""The table of errors over HTTP: status and headers of each class, and the bodies of answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.responses import Response

from deployments.http.triton import errors as triton_errors
from deployments.telemetry.log import logger, printable
from models.errors import (
    BodyTooSlow,
    CallerError,
    DeadlinePassed,
    DiskFull,
    DragomanError,
    Draining,
    EmptyCommit,
    Forbidden,
    HostNotAllowed,
    InsufficientScope,
    InternalError,
    InvalidRequest,
    JobNotDone,
    KeyRequired,
    LoadFailed,
    LoadNotAllowed,
    MethodNotAllowed,
    ModelControlOff,
    NameTaken,
    NoKey,
    NotAudio,
    NotFound,
    NothingKept,
    NotReady,
    OriginNotAllowed,
    Overloaded,
    QueueDeadlinePassed,
    QueueFull,
    QuotaUsed,
    RateLimited,
    ReaderTooSlow,
    SessionEnded,
    SessionExpired,
    SessionIdle,
    SpeechLost,
    StorageFull,
    TooLarge,
    TooManyJobs,
    TooManyRunning,
    TranslationLost,
    Unauthorized,
    Unavailable,
    UnknownLanguage,
    UnknownModel,
    UnknownSession,
    UnknownVoice,
    Unprocessable,
    UnsupportedEncoding,
    UnsupportedPair,
    UpgradeRequired,
    is_fault,
    told,
)

TRITON = "/v2"  # what begins so is answered in Triton's words
CHALLENGE = 'Bearer realm="dragoman"'  # what a 401 asks for


class Row(NamedTuple):
    """The status and headers of one class of errors."""

    status: HTTPStatus
    retry_after_s: int | None = None
    challenge: str | None = None  # as the header ``WWW-Authenticate`` has it


S = HTTPStatus
TABLE: Mapping[type[DragomanError], Row] = {
    CallerError: Row(S.BAD_REQUEST),
    InvalidRequest: Row(S.BAD_REQUEST),
    EmptyCommit: Row(S.BAD_REQUEST),
    LoadFailed: Row(S.BAD_REQUEST),
    UnknownLanguage: Row(S.BAD_REQUEST),
    Unauthorized: Row(S.UNAUTHORIZED, challenge=f'{CHALLENGE}, error="invalid_token"'),
    NoKey: Row(S.UNAUTHORIZED, challenge=CHALLENGE),
    Forbidden: Row(S.FORBIDDEN),
    InsufficientScope: Row(S.FORBIDDEN, challenge=f'{CHALLENGE}, error="insufficient_scope"'),
    KeyRequired: Row(S.FORBIDDEN),
    HostNotAllowed: Row(S.FORBIDDEN),
    OriginNotAllowed: Row(S.FORBIDDEN),
    ModelControlOff: Row(S.FORBIDDEN),
    LoadNotAllowed: Row(S.FORBIDDEN),
    NotFound: Row(S.NOT_FOUND),
    UnknownModel: Row(S.NOT_FOUND),
    UnknownVoice: Row(S.NOT_FOUND),
    UnknownSession: Row(S.NOT_FOUND),
    NameTaken: Row(S.CONFLICT),
    JobNotDone: Row(S.CONFLICT),
    SessionEnded: Row(S.GONE),
    SessionExpired: Row(S.GONE),
    SessionIdle: Row(S.GONE),
    ReaderTooSlow: Row(S.GONE),
    MethodNotAllowed: Row(S.METHOD_NOT_ALLOWED),
    UpgradeRequired: Row(S.UPGRADE_REQUIRED),
    BodyTooSlow: Row(S.REQUEST_TIMEOUT),
    TooLarge: Row(S.REQUEST_ENTITY_TOO_LARGE),
    StorageFull: Row(S.REQUEST_ENTITY_TOO_LARGE),
    NotAudio: Row(S.UNSUPPORTED_MEDIA_TYPE),
    UnsupportedEncoding: Row(S.UNSUPPORTED_MEDIA_TYPE),
    Unprocessable: Row(S.UNPROCESSABLE_ENTITY),
    NothingKept: Row(S.UNPROCESSABLE_ENTITY),
    UnsupportedPair: Row(S.UNPROCESSABLE_ENTITY),
    RateLimited: Row(S.TOO_MANY_REQUESTS, 1),
    TooManyRunning: Row(S.TOO_MANY_REQUESTS, 1),
    QuotaUsed: Row(S.TOO_MANY_REQUESTS, 1),
    Unavailable: Row(S.SERVICE_UNAVAILABLE, 1),
    TranslationLost: Row(S.SERVICE_UNAVAILABLE, 1),
    SpeechLost: Row(S.SERVICE_UNAVAILABLE, 1),
    NotReady: Row(S.SERVICE_UNAVAILABLE, 5),
    Draining: Row(S.SERVICE_UNAVAILABLE, 5),
    Overloaded: Row(S.SERVICE_UNAVAILABLE, 1),
    TooManyJobs: Row(S.SERVICE_UNAVAILABLE, 60),
    DiskFull: Row(S.INSUFFICIENT_STORAGE),
    QueueFull: Row(S.SERVICE_UNAVAILABLE, 1),
    QueueDeadlinePassed: Row(S.SERVICE_UNAVAILABLE, 1),
    DeadlinePassed: Row(S.GATEWAY_TIMEOUT),
    InternalError: Row(S.INTERNAL_SERVER_ERROR),
}


def row_of(kind: type[DragomanError]) -> Row:
    """Return the row of a class, or of the nearest one that it is derived from."""
    return next((TABLE[each] for each in kind.__mro__ if each in TABLE), TABLE[InternalError])


def retry_after_s(error: DragomanError) -> int | None:
    """Return when to ask again: the error's own time if it has one, else that of its class."""
    own = error.retry_after_s if isinstance(error, RateLimited) else None
    return row_of(type(error)).retry_after_s if own is None else own


def error_body(error: DragomanError) -> dict[str, Any]:
    """Return the body in OpenAI's shape."""
    return {
        "error": {
            "message": told(error),
            "type": "invalid_request_error" if isinstance(error, CallerError) else "server_error",
            "param": error.param,
            "code": error.code,
        }
    }


def error_response(error: DragomanError, path: str) -> Response:
    """Return the answer in the form of the path's protocol."""
    row = row_of(type(error))
    headers = {}
    if (wait_s := retry_after_s(error)) is not None:
        headers["retry-after"] = str(wait_s)
    if isinstance(error, MethodNotAllowed) and error.allowed:
        headers["allow"] = error.allowed
    if row.status == S.UPGRADE_REQUIRED:
        headers["upgrade"] = "websocket"
    if row.challenge is not None:
        headers["www-authenticate"] = row.challenge
    if row.status == S.REQUEST_TIMEOUT:
        headers["connection"] = "close"  # what is still to come is not waited for
    is_triton = path.startswith(TRITON)
    body = triton_errors.error_body(type(error), told(error)) if is_triton else error_body(error)
    text = json.dumps(body)  # in ASCII: what a caller sent may be no text that UTF-8 can hold
    return Response(text, row.status, headers, media_type="application/json")


def as_ours(error: Exception, request_id: str) -> DragomanError:
    """Turn any exception into one of the tree; the text of an unforeseen one is only logged."""
    if isinstance(error, TimeoutError):
        return DeadlinePassed("the request took longer than this server gives one")
    if isinstance(error, HTTPException):
        return _from_starlette(error)
    if not isinstance(error, DragomanError) or is_fault(error):
        logger.error("request %s failed", printable(request_id), exc_info=error)
        return InternalError(repr(error))
    return error


def _from_starlette(error: HTTPException) -> DragomanError:
    if error.status_code == S.NOT_FOUND:
        return NotFound("there is no such path")
    if error.status_code == S.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "")
        refused = MethodNotAllowed(f"this path takes {allowed or 'another method'}", param="method")
        refused.allowed = allowed
        return refused
    return InvalidRequest(f"malformed request: {error.detail}", param="body")
