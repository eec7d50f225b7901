"""The error tree: what each class tells a caller, and that it survives between processes."""

from __future__ import annotations

import pickle

import pytest

from models import errors
from models.errors import DragomanError, StartupError


def tree(base: type[Exception], depth: int = 0) -> list[tuple[type[Exception], int]]:
    """``base`` and the classes of ``models.errors`` below it, each with its depth, as written."""
    ours = [cls for cls in base.__subclasses__() if cls.__module__ == errors.__name__]
    return [(base, depth), *(row for cls in ours for row in tree(cls, depth + 1))]


def documented() -> list[tuple[str, int]]:
    """The names in the module docstring's tree, with their depths."""
    lines = (errors.__doc__ or "").splitlines()[1:]
    rows = [(line.lstrip("│├└─ ").split()[0], line) for line in lines if line.strip()]
    return [(name, line.index(name) // len("├── ")) for name, line in rows]


PUBLIC = [cls for cls, _ in tree(DragomanError) if issubclass(cls, DragomanError)]
STARTUP = [cls for cls, _ in tree(StartupError)]

# What a caller's program may rely on: HTTP status, code, Retry-After.
CONTRACT = {
    "DragomanError": (500, "internal_error", None),
    "InvalidRequest": (400, "invalid_value", None),
    "LoadFailed": (400, "load_failed", None),
    "UnknownLanguage": (400, "unknown_language", None),
    "Unauthorized": (401, "invalid_api_key", None),
    "NoKey": (401, "no_api_key", None),
    "Forbidden": (403, "forbidden", None),
    "InsufficientScope": (403, "insufficient_scope", None),
    "KeyRequired": (403, "key_required", None),
    "HostNotAllowed": (403, "host_not_allowed", None),
    "OriginNotAllowed": (403, "origin_not_allowed", None),
    "ModelControlOff": (403, "model_control_off", None),
    "LoadNotAllowed": (403, "load_not_allowed", None),
    "NotFound": (404, "not_found", None),
    "UnknownModel": (404, "model_not_found", None),
    "UnknownVoice": (404, "voice_not_found", None),
    "MethodNotAllowed": (405, "method_not_allowed", None),
    "BodyTooSlow": (408, "body_too_slow", None),
    "TooLarge": (413, "too_large", None),
    "NotAudio": (415, "not_audio", None),
    "UnsupportedEncoding": (415, "unsupported_encoding", None),
    "Unprocessable": (422, "unprocessable", None),
    "UnsupportedPair": (422, "unsupported_language_pair", None),
    "RateLimited": (429, "rate_limit_exceeded", 1),
    "TooManyRunning": (429, "too_many_running", 1),
    "QuotaUsed": (429, "insufficient_quota", 1),
    "Unavailable": (503, "unavailable", 1),
    "NotReady": (503, "not_ready", 5),
    "Draining": (503, "draining", 5),
    "Overloaded": (503, "overloaded", 1),
    "QueueFull": (503, "queue_full", 1),
    "QueueDeadlinePassed": (503, "queue_deadline_passed", 1),
    "DeadlinePassed": (504, "deadline_passed", None),
    "InternalError": (500, "internal_error", None),
}


def test_every_public_class_has_its_row() -> None:
    assert [cls.__name__ for cls in PUBLIC] == list(CONTRACT)


@pytest.mark.parametrize("cls", PUBLIC, ids=lambda cls: cls.__name__)
def test_status_code_and_retry(cls: type[DragomanError]) -> None:
    assert (cls.status, cls.code, cls.retry_after_s) == CONTRACT[cls.__name__]


def test_the_docstring_shows_the_tree() -> None:
    classes = [*tree(DragomanError), *tree(StartupError)]

    assert documented() == [(cls.__name__, depth) for cls, depth in classes]


@pytest.mark.parametrize("cls", PUBLIC[1:], ids=lambda cls: cls.__name__)
def test_the_docstring_shows_each_status(cls: type[DragomanError]) -> None:
    assert f"{cls.__name__} {cls.status}" in (errors.__doc__ or "")


@pytest.mark.parametrize("cls", PUBLIC, ids=lambda cls: cls.__name__)
def test_a_public_error_survives_between_processes(cls: type[DragomanError]) -> None:
    copy = pickle.loads(pickle.dumps(cls("too loud", param="file")))

    assert (type(copy), copy.message, copy.param, str(copy)) == (
        cls,
        "too loud",
        "file",
        "too loud",
    )


@pytest.mark.parametrize("cls", STARTUP, ids=lambda cls: cls.__name__)
def test_a_startup_error_survives_between_processes(cls: type[StartupError]) -> None:
    copy = pickle.loads(pickle.dumps(cls("no such folder")))

    assert (type(copy), str(copy)) == (cls, "no such folder")


def test_startup_errors_are_no_public_errors() -> None:
    assert not set(STARTUP) & set(PUBLIC)
