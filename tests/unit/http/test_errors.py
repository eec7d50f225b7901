"""The table of errors over HTTP: every class of the tree has its row, and none says too much."""

from __future__ import annotations

import json

import pytest

from deployments.http.errors import TABLE, error_response, retry_after_s, row_of
from models import errors
from models.errors import (
    CallerError,
    DragomanError,
    InvalidRequest,
    MethodNotAllowed,
    QuotaUsed,
    RateLimited,
    is_fault,
)


def below(base: type[DragomanError]) -> list[type[DragomanError]]:
    """Return the classes of ``models.errors`` below ``base``."""
    ours = [cls for cls in base.__subclasses__() if cls.__module__ == errors.__name__]
    return [each for cls in ours for each in (cls, *below(cls))]


# What a caller's program may rely on: HTTP status, code, Retry-After.
CONTRACT = {
    "CallerError": (400, "invalid_value", None),
    "InvalidRequest": (400, "invalid_value", None),
    "LoadFailed": (400, "load_failed", None),
    "UnknownLanguage": (400, "unknown_language", None),
    "EmptyCommit": (400, "input_audio_buffer_commit_empty", None),
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
    "UnknownSession": (404, "session_not_found", None),
    "MethodNotAllowed": (405, "method_not_allowed", None),
    "UpgradeRequired": (426, "upgrade_required", None),
    "BodyTooSlow": (408, "body_too_slow", None),
    "TooLarge": (413, "too_large", None),
    "StorageFull": (413, "storage_full", None),
    "NothingKept": (422, "nothing_kept", None),
    "NotAudio": (415, "not_audio", None),
    "NameTaken": (409, "session_name_taken", None),
    "JobNotDone": (409, "job_not_done", None),
    "SessionEnded": (410, "session_ended", None),
    "SessionExpired": (410, "session_expired", None),
    "SessionIdle": (410, "session_idle", None),
    "ReaderTooSlow": (410, "reader_too_slow", None),
    "UnsupportedEncoding": (415, "unsupported_encoding", None),
    "Unprocessable": (422, "unprocessable", None),
    "UnsupportedPair": (422, "unsupported_language_pair", None),
    "RateLimited": (429, "rate_limit_exceeded", 1),
    "TooManyRunning": (429, "too_many_running", 1),
    "QuotaUsed": (429, "insufficient_quota", 1),
    "Unavailable": (503, "unavailable", 1),
    "TranslationLost": (503, "translation_lost", 1),
    "SpeechLost": (503, "speech_lost", 1),
    "NotReady": (503, "not_ready", 5),
    "Draining": (503, "draining", 5),
    "Overloaded": (503, "overloaded", 1),
    "TooManyJobs": (503, "too_many_jobs", 60),
    "DiskFull": (507, "disk_full", None),
    "QueueFull": (503, "queue_full", 1),
    "QueueDeadlinePassed": (503, "queue_deadline_passed", 1),
    "DeadlinePassed": (504, "deadline_passed", None),
    "InternalError": (500, "internal_error", None),
}


def test_every_class_has_its_row() -> None:
    assert {cls.__name__ for cls in below(DragomanError)} == {cls.__name__ for cls in TABLE}


@pytest.mark.parametrize("cls", TABLE, ids=lambda cls: cls.__name__)
def test_status_code_and_retry(cls: type[DragomanError]) -> None:
    row = row_of(cls)
    assert (row.status, cls.code, row.retry_after_s) == CONTRACT[cls.__name__]


@pytest.mark.parametrize("cls", TABLE, ids=lambda cls: cls.__name__)
def test_the_caller_s_errors_are_those_below_500(cls: type[DragomanError]) -> None:
    status = row_of(cls).status
    assert issubclass(cls, CallerError) == (status < 500)
    assert is_fault(cls("")) == (status == 500)


def test_a_class_of_an_engine_has_the_row_of_its_base() -> None:
    class TooManySpeakers(InvalidRequest):
        code = "too_many_speakers"

    answer = error_response(TooManySpeakers("two speak", param="file"), "/v1/any")
    assert answer.status_code == 400
    assert json.loads(bytes(answer.body))["error"]["code"] == "too_many_speakers"


def test_a_class_of_no_known_base_is_a_fault_of_the_server() -> None:
    class Odd(DragomanError):
        pass

    answer = error_response(Odd("a secret"), "/v1/any")
    assert (answer.status_code, b"secret" in bytes(answer.body)) == (500, False)


@pytest.mark.parametrize("path", ["/v1/any", "/v2/any"])
def test_a_fault_of_the_server_says_nothing_of_itself(path: str) -> None:
    answer = error_response(errors.InternalError("a secret"), path)
    assert (answer.status_code, b"secret" in bytes(answer.body)) == (500, False)


def test_a_key_s_own_time_goes_before_that_of_the_class() -> None:
    used = QuotaUsed("used")
    used.retry_after_s = 3600
    assert (retry_after_s(used), retry_after_s(RateLimited("too many"))) == (3600, 1)


def test_a_wrong_method_is_told_the_right_ones() -> None:
    error = MethodNotAllowed("this path takes GET, HEAD")
    error.allowed = "GET, HEAD"
    assert error_response(error, "/v1/any").headers["allow"] == "GET, HEAD"
