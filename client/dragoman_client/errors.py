"""The error tree: one class for each thing that a caller may want to handle differently.

DragomanError                   all of them: message, status, code, param, request_id
├── ConnectionFailed            the server could not be reached, or the connection broke;
│                               also a ConnectionError
├── TimeoutError                no answer within the timeout; also Python's TimeoutError
├── UnexpectedResponse          an answer that is not Dragoman's: is the address right?
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
    ├── Unprocessable 422           understood, but impossible on this server
    │   └── UnsupportedPair 422     the message lists the language pairs that there are
    ├── RateLimited 429             ``retry_after_s``
    ├── Unavailable 503             ``retry_after_s``
    │   ├── NotReady 503            models are still loading
    │   ├── Draining 503            the server is stopping
    │   ├── Overloaded 503          as many requests as the server takes at once
    │   ├── QueueFull 503           a model's queue is full
    │   └── QueueDeadlinePassed 503 the timeout passed before a model began
    ├── DeadlinePassed 504          the timeout passed while a model ran
    └── ServerError 5xx             the server's own fault: its log knows the request id

An error that remains after the retries is raised as itself.

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

MAX_QUOTED_CHARACTERS = 200  # of a body that is not the API's own


class DragomanError(Exception):
    """Base of all that this package raises. Local failures have no ``status`` nor ``code``."""

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
        """The message, and what finds the call again.

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

    def __reduce__(self) -> tuple[Any, ...]:  # keyword arguments survive pickling
        return _rebuild, (type(self), self.message, vars(self).copy())


Error = TypeVar("Error", bound=DragomanError)


def _rebuild(cls: type[Error], message: str, fields: dict[str, Any]) -> Error:
    error = cls(message)
    vars(error).update(fields)
    return error


class ConnectionFailed(DragomanError, builtins.ConnectionError):
    """The server could not be reached, or the connection broke before the answer."""


class TimeoutError(DragomanError, builtins.TimeoutError):
    """No answer within ``Timeout.total_s``."""


class UnexpectedResponse(DragomanError):
    """An answer that is not Dragoman's."""


class StatusError(DragomanError):
    """The server answered with an error."""


class InvalidRequest(StatusError):
    """400"""


class UnknownLanguage(InvalidRequest):
    """400"""


class Unauthorized(StatusError):
    """401"""


class Forbidden(StatusError):
    """403"""


class NotFound(StatusError):
    """404"""


class UnknownModel(NotFound):
    """404"""


class UnknownVoice(NotFound):
    """404"""


class MethodNotAllowed(StatusError):
    """405"""


class TooLarge(StatusError):
    """413"""


class NotAudio(StatusError):
    """415"""


class Unprocessable(StatusError):
    """422"""


class UnsupportedPair(Unprocessable):
    """422"""


class RateLimited(StatusError):
    """429: try again after ``retry_after_s``."""


class Unavailable(StatusError):
    """503: try again after ``retry_after_s``."""


class NotReady(Unavailable):
    """503"""


class Draining(Unavailable):
    """503"""


class Overloaded(Unavailable):
    """503"""


class QueueFull(Unavailable):
    """503"""


class QueueDeadlinePassed(Unavailable):
    """503"""


class DeadlinePassed(StatusError):
    """504"""


class ServerError(StatusError):
    """500, and any other 5xx without a class of its own."""


BY_STATUS: dict[int, type[StatusError]] = {
    400: InvalidRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
    415: NotAudio,
    422: Unprocessable,
    429: RateLimited,
    503: Unavailable,
    504: DeadlinePassed,
}
BY_CODE: dict[str, type[StatusError]] = {
    "unknown_language": UnknownLanguage,
    "model_not_found": UnknownModel,
    "voice_not_found": UnknownVoice,
    "unsupported_language_pair": UnsupportedPair,
    "not_ready": NotReady,
    "draining": Draining,
    "overloaded": Overloaded,
    "queue_full": QueueFull,
    "queue_deadline_passed": QueueDeadlinePassed,
}


def from_response(response: httpx.Response, request_id: str) -> StatusError:
    """The error that a response with an error status stands for. Its body has been read."""
    status = response.status_code
    body = _error_body(response)
    code = _text(body.get("code"))
    base = BY_STATUS.get(status, ServerError if status >= 500 else StatusError)
    finer = BY_CODE.get(code or "", base)
    error_class = finer if issubclass(finer, base) else base  # the status has the last word
    return error_class(
        _text(body.get("message")) or _bare_message(response),
        status=status,
        code=code,
        param=_text(body.get("param")),
        request_id=request_id,
        retry_after_s=headers.retry_after_s(response.headers.get("retry-after"), time.time()),
    )


def from_transport(error: httpx.HTTPError, request: httpx.Request) -> DragomanError:
    """The error that a failure without a response stands for."""
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
    return UnexpectedResponse(f"{server} sent no sane answer: {error}", request_id=request_id)


def _error_body(response: httpx.Response) -> dict[str, Any]:
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):  # a proxy's page, another server's shape
        return {}
    return error if isinstance(error, dict) else {"message": error}


def _bare_message(response: httpx.Response) -> str:
    """What can be said of an error without the API's body: it came from something between."""
    text = " ".join(response.text.split())
    if text and "html" not in response.headers.get("content-type", ""):
        return text[:MAX_QUOTED_CHARACTERS]
    try:
        return http.HTTPStatus(response.status_code).phrase.lower()
    except ValueError:
        return "unknown error"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
