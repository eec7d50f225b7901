"""Define the client's errors: one class for each case that a caller may handle differently.

DragomanError                   the base of all: message, status, code, param, request_id
├── ConnectionFailed            the server could not be reached, or the connection broke;
│                               also a ConnectionError
│   └── SessionLost             a live session broke off: ``sent_s``, ``answered_s``, ``lost_s``,
│                               ``unfinished_text``
├── MissingPackage              an extra of this package is not installed; also an ImportError
├── TimeoutError                no answer within the timeout; also Python's TimeoutError
├── UnexpectedResponse          an answer that is not Dragoman's; is the address right?
└── StatusError                 the server refused; any status without a class of its own
    ├── InvalidRequest 400          malformed; ``param`` names the field
    │   └── UnknownLanguage 400
    ├── Unauthorized 401            no key, or one that the server does not know
    ├── Forbidden 403               the key lacks the scope, or nobody may ask this from here
    ├── NotFound 404
    │   ├── UnknownModel 404
    │   └── UnknownVoice 404
    ├── MethodNotAllowed 405
    ├── TooLarge 413                file, audio or text over a limit
    ├── NotAudio 415                no audio that can be decoded
    ├── Unprocessable 422           understood, but this server cannot do it
    │   └── UnsupportedPair 422     the message lists the language pairs of the server
    ├── RateLimited 429             ``retry_after_s``
    ├── Unavailable 503             ``retry_after_s``
    │   ├── NotReady 503            models are still loading
    │   ├── Draining 503            the server is stopping
    │   ├── Overloaded 503          the server has as many requests as it takes at once
    │   ├── QueueFull 503           a model's queue is full
    │   └── QueueDeadlinePassed 503 the timeout passed before a model began
    ├── DeadlinePassed 504          the timeout passed while a model ran
    └── ServerError 5xx             the server failed; its log has the request id

The error of the last attempt is raised as it is.

>>> try:
...     client.translate_speech("notes.txt", "pt")
... except dragoman_client.NotAudio as error:
...     print(error.param, error.message)
file no audio in the file
"""

from __future__ import annotations

import builtins
import http
import time
from typing import Any, TypeVar

import httpx

from . import headers

MAX_QUOTED_CHARACTERS = 200  # of a body that the API did not write

# Filled by the classes below.
BY_STATUS: dict[int, type[StatusError]] = {}
BY_CODE: dict[str, type[StatusError]] = {}


class DragomanError(Exception):
    """The base of all errors here. Local failures have neither ``status`` nor ``code``."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        param: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param
        self.request_id = request_id
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        """Return the message, the status, and the id that finds the call in the server's log.

        >>> str(error)
        'no audio in the file (415 not_audio, param file, request 5f0c2b)'
        """
        details = [
            " ".join(str(part) for part in (self.status, self.code) if part),
            f"param {self.param}" if self.param else "",
            f"request {self.request_id}" if self.request_id else "",
        ]
        details = [detail for detail in details if detail]
        return f"{self.message} ({', '.join(details)})" if details else self.message

    def __reduce__(self) -> tuple[Any, ...]:  # so that pickling keeps the keyword arguments
        return _rebuild, (type(self), self.message, vars(self).copy())


Error = TypeVar("Error", bound=DragomanError)


def _rebuild(cls: type[Error], message: str, fields: dict[str, Any]) -> Error:
    error = cls(message)
    vars(error).update(fields)
    return error


class ConnectionFailed(DragomanError, builtins.ConnectionError):
    """The server could not be reached, or the connection broke before the answer."""


class SessionLost(ConnectionFailed):
    """A live session broke off before its end; a new one may go on from ``answered_s``.

    Attributes:
        sent_s: the audio that was sent.
        answered_s: the place in it up to which all is answered.
        unfinished_text: what was heard behind that place.
    """

    def __init__(
        self,
        message: str,
        *,
        sent_s: float = 0.0,
        answered_s: float = 0.0,
        unfinished_text: str = "",
    ) -> None:
        super().__init__(message)
        self.sent_s = sent_s
        self.answered_s = answered_s
        self.unfinished_text = unfinished_text

    @property
    def lost_s(self) -> float:
        return max(0.0, self.sent_s - self.answered_s)


class MissingPackage(DragomanError, ImportError):
    """Something needs a package that is not installed."""

    def __init__(self, what: str, package: str = "", extra: str = "", also: str = "") -> None:
        needed = " ".join(filter(None, (package, also)))
        install = f"pip install 'dragoman-client[{extra}]'"
        super().__init__(f"{what} needs {needed}: {install}" if package else what)


class TimeoutError(DragomanError, builtins.TimeoutError):
    """No answer within ``Timeout.total_s``."""


class UnexpectedResponse(DragomanError):
    """An answer that is not Dragoman's."""


class StatusError(DragomanError):
    """The server answered with an error. A class below is of one status or one code."""

    def __init_subclass__(cls, *, status: int | None = None, code: str | None = None) -> None:
        if status is not None:
            BY_STATUS[status] = cls
        if code is not None:
            BY_CODE[code] = cls


class InvalidRequest(StatusError, status=400):
    """The request is malformed; ``param`` names the field."""


class UnknownLanguage(InvalidRequest, code="unknown_language"):
    """No such language."""


class Unauthorized(StatusError, status=401):
    """No key, or one that the server does not know."""


class Forbidden(StatusError, status=403):
    """The key lacks the scope, or nobody may ask this from here."""


class NotFound(StatusError, status=404):
    """No such path or thing."""


class UnknownModel(NotFound, code="model_not_found"):
    """No such model."""


class UnknownVoice(NotFound, code="voice_not_found"):
    """No such voice."""


class MethodNotAllowed(StatusError, status=405):
    """The path does not take this method."""


class TooLarge(StatusError, status=413):
    """A file, audio or text is over a limit."""


class NotAudio(StatusError, status=415):
    """The file has no audio that can be decoded."""


class Unprocessable(StatusError, status=422):
    """The server understood the request and cannot do it."""


class UnsupportedPair(Unprocessable, code="unsupported_language_pair"):
    """The server cannot translate between these languages."""


class RateLimited(StatusError, status=429):
    """Try again after ``retry_after_s``."""


class Unavailable(StatusError, status=503):
    """Try again after ``retry_after_s``."""


class NotReady(Unavailable, code="not_ready"):
    """Models are still loading."""


class Draining(Unavailable, code="draining"):
    """The server is stopping."""


class Overloaded(Unavailable, code="overloaded"):
    """The server has as many requests as it takes at once."""


class QueueFull(Unavailable, code="queue_full"):
    """A model's queue is full."""


class QueueDeadlinePassed(Unavailable, code="queue_deadline_passed"):
    """The timeout passed before a model began."""


class DeadlinePassed(StatusError, status=504):
    """The timeout passed while a model ran."""


class ServerError(StatusError):
    """500, and any other 5xx without a class of its own."""


def from_response(response: httpx.Response, request_id: str) -> StatusError:
    """Return the error of a response with an error status, whose body has been read."""
    status = response.status_code
    body = _error_body(response)
    code = _text(body.get("code"))
    base = BY_STATUS.get(status, ServerError if status >= 500 else StatusError)
    finer = BY_CODE.get(code or "", base)
    error_class = finer if issubclass(finer, base) else base  # the status decides
    return error_class(
        _text(body.get("message")) or _bare_message(response),
        status=status,
        code=code,
        param=_text(body.get("param")),
        request_id=request_id,
        retry_after_s=headers.retry_after_s(response.headers.get("retry-after"), time.time()),
    )


def from_event(error: dict[str, Any]) -> StatusError:
    """Return the error that an event of a stream or a live session tells, which has no status."""
    code = _text(error.get("code"))
    error_class = BY_CODE.get(code or "", ServerError)
    if error.get("type") == "invalid_request_error" and error_class is ServerError:
        error_class = InvalidRequest
    message = _text(error.get("message")) or "the server tells an error without a message"
    return error_class(message, code=code, param=_text(error.get("param")))


def from_transport(error: httpx.HTTPError, request: httpx.Request) -> DragomanError:
    """Return the error of a call that has no response."""
    request_id = request.headers.get(headers.REQUEST_ID)
    server = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        reason = "no answer to the connection" if not str(error) else str(error)
        return ConnectionFailed(f"cannot reach {server}: {reason}", request_id=request_id)
    if isinstance(error, httpx.TimeoutException):
        return TimeoutError(f"no answer from {server} within the timeout", request_id=request_id)
    if isinstance(error, httpx.TransportError):
        message = f"the connection to {server} broke: {str(error) or type(error).__name__}"
        return ConnectionFailed(message, request_id=request_id)
    message = f"{server} sent an answer that cannot be read: {error}"
    return UnexpectedResponse(message, request_id=request_id)


def _error_body(response: httpx.Response) -> dict[str, Any]:
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):  # the page of a proxy or another server
        return {}
    return error if isinstance(error, dict) else {"message": error}


def _bare_message(response: httpx.Response) -> str:
    """Return a message for an error that a proxy sent, without the API's body."""
    text = " ".join(response.text.split())
    if text and "html" not in response.headers.get("content-type", ""):
        return text[:MAX_QUOTED_CHARACTERS]
    try:
        return http.HTTPStatus(response.status_code).phrase.lower()
    except ValueError:
        return "unknown error"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
