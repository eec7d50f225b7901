"""The table of errors over gRPC: the status code of each class, and what goes with it."""

from __future__ import annotations

from collections.abc import Mapping

import grpc

from deployments.http.errors import retry_after_s
from deployments.inference.errors import in_tritons_words
from models.errors import (
    BodyTooSlow,
    CallerError,
    DeadlinePassed,
    DiskFull,
    DragomanError,
    Forbidden,
    InternalError,
    JobNotDone,
    MethodNotAllowed,
    NameTaken,
    NotFound,
    RateLimited,
    SessionEnded,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unprocessable,
    UpgradeRequired,
    told,
)

MAX_TOLD_BYTES = 2_000  # of a message: it travels in a header, percent-encoded

C = grpc.StatusCode
TABLE: Mapping[type[DragomanError], grpc.StatusCode] = {
    CallerError: C.INVALID_ARGUMENT,
    Unauthorized: C.UNAUTHENTICATED,
    Forbidden: C.PERMISSION_DENIED,
    NotFound: C.NOT_FOUND,
    MethodNotAllowed: C.UNIMPLEMENTED,
    UpgradeRequired: C.UNIMPLEMENTED,
    BodyTooSlow: C.DEADLINE_EXCEEDED,
    TooLarge: C.RESOURCE_EXHAUSTED,  # as gRPC itself answers a message that is too large
    RateLimited: C.RESOURCE_EXHAUSTED,
    NameTaken: C.ALREADY_EXISTS,
    JobNotDone: C.FAILED_PRECONDITION,
    Unprocessable: C.FAILED_PRECONDITION,
    SessionEnded: C.ABORTED,
    Unavailable: C.UNAVAILABLE,
    DiskFull: C.RESOURCE_EXHAUSTED,
    DeadlinePassed: C.DEADLINE_EXCEEDED,
    InternalError: C.INTERNAL,
}
Metadata = tuple[tuple[str, str], ...]


def status_of(kind: type[DragomanError]) -> grpc.StatusCode:
    """Return the code of a class, or of the nearest one that it is derived from."""
    return next((TABLE[each] for each in kind.__mro__ if each in TABLE), C.INTERNAL)


def message_of(error: DragomanError) -> str:
    """Return what a caller is told, as a header may hold it."""
    text = in_tritons_words(type(error), told(error))
    return text.encode("utf-8", "replace")[:MAX_TOLD_BYTES].decode("utf-8", "ignore")


def trailers(error: DragomanError) -> Metadata:
    """Return the metadata behind an error: its code, and when to ask again.

    ``grpc-retry-pushback-ms`` is what clients of gRPC obey, ``retry-after`` is as over HTTP.
    """
    found = [("x-error-code", error.code)]
    if (wait_s := retry_after_s(error)) is not None:
        found += [("grpc-retry-pushback-ms", str(wait_s * 1000)), ("retry-after", str(wait_s))]
    return tuple(found)
