"""The table of errors: every class has a code, and none that is up to the caller is a fault."""

from __future__ import annotations

import grpc
import pytest

from deployments.grpc.errors import TABLE, message_of, status_of, trailers
from deployments.http.errors import TABLE as OF_HTTP
from models.errors import (
    CallerError,
    DragomanError,
    InternalError,
    InvalidRequest,
    QueueDeadlinePassed,
    QueueFull,
    RateLimited,
    Unauthorized,
    Unavailable,
)

Code = grpc.StatusCode
STATUS = {  # of HTTP, and what may stand for it here
    400: {Code.INVALID_ARGUMENT},
    401: {Code.UNAUTHENTICATED},
    403: {Code.PERMISSION_DENIED},
    404: {Code.NOT_FOUND},
    405: {Code.UNIMPLEMENTED},
    408: {Code.DEADLINE_EXCEEDED},
    409: {Code.ALREADY_EXISTS, Code.FAILED_PRECONDITION},
    410: {Code.ABORTED},
    413: {Code.RESOURCE_EXHAUSTED},
    415: {Code.INVALID_ARGUMENT},
    422: {Code.FAILED_PRECONDITION},
    426: {Code.UNIMPLEMENTED},
    429: {Code.RESOURCE_EXHAUSTED},
    500: {Code.INTERNAL},
    503: {Code.UNAVAILABLE},
    504: {Code.DEADLINE_EXCEEDED},
    507: {Code.RESOURCE_EXHAUSTED},
}


def name(kind: type[DragomanError]) -> str:
    return kind.__name__


@pytest.mark.parametrize("kind", OF_HTTP, ids=name)
def test_a_code_says_what_the_status_of_http_says(kind: type[DragomanError]) -> None:
    assert status_of(kind) in STATUS[OF_HTTP[kind].status]


@pytest.mark.parametrize(
    "kind", [each for each in OF_HTTP if issubclass(each, CallerError)], ids=name
)
def test_what_is_up_to_the_caller_is_no_fault(kind: type[DragomanError]) -> None:
    assert status_of(kind) not in (Code.INTERNAL, Code.UNKNOWN, Code.UNAVAILABLE)


def test_no_code_is_unknown() -> None:
    assert Code.UNKNOWN not in TABLE.values()


@pytest.mark.parametrize("kind", [Unavailable, RateLimited], ids=name)
def test_trailers_say_when_to_ask_again(kind: type[DragomanError]) -> None:
    found = dict(trailers(kind("later")))
    assert (found["grpc-retry-pushback-ms"], found["retry-after"]) == ("1000", "1")


def test_trailers_of_bad_input_name_its_code_alone() -> None:
    assert trailers(InvalidRequest("no")) == (("x-error-code", "invalid_value"),)
    assert trailers(Unauthorized("no")) == (("x-error-code", "invalid_api_key"),)


WORDS = {
    "full": (QueueFull("8 wait"), "Exceeds maximum queue size: 8 wait"),
    "late": (QueueDeadlinePassed("1 s"), "Request timeout expired: 1 s"),
    "fault": (InternalError("secret"), "internal error"),
    "surrogate": (InvalidRequest("a\ud800b"), "a?b"),
}


@pytest.mark.parametrize(("error", "told"), WORDS.values(), ids=WORDS)
def test_messages(error: DragomanError, told: str) -> None:
    assert message_of(error) == told
