"""The client raises its own error for each status and each failure: sync and async alike."""

from __future__ import annotations

import builtins
import inspect
import pickle
import re
from pathlib import Path

import httpx
import pytest

from dragoman_client import errors
from tests.support.fake_api import Ask, ok, refusal, serving


@pytest.mark.parametrize(
    ("status", "code", "error_class"),
    [
        pytest.param(400, "invalid_value", errors.InvalidRequest, id="malformed"),
        pytest.param(400, "unknown_language", errors.UnknownLanguage, id="language"),
        pytest.param(401, "invalid_api_key", errors.Unauthorized, id="key"),
        pytest.param(403, "insufficient_scope", errors.Forbidden, id="scope"),
        pytest.param(404, "not_found", errors.NotFound, id="path"),
        pytest.param(404, "model_not_found", errors.UnknownModel, id="model"),
        pytest.param(404, "voice_not_found", errors.UnknownVoice, id="voice"),
        pytest.param(405, "method_not_allowed", errors.MethodNotAllowed, id="method"),
        pytest.param(413, "too_large", errors.TooLarge, id="size"),
        pytest.param(415, "not_audio", errors.NotAudio, id="not audio"),
        pytest.param(422, "unprocessable", errors.Unprocessable, id="impossible"),
        pytest.param(422, "unsupported_language_pair", errors.UnsupportedPair, id="pair"),
        pytest.param(429, "rate_limited", errors.RateLimited, id="rate"),
        pytest.param(503, "unavailable", errors.Unavailable, id="unavailable"),
        pytest.param(503, "not_ready", errors.NotReady, id="not ready"),
        pytest.param(503, "draining", errors.Draining, id="draining"),
        pytest.param(503, "overloaded", errors.Overloaded, id="overloaded"),
        pytest.param(503, "queue_full", errors.QueueFull, id="queue full"),
        pytest.param(503, "queue_deadline_passed", errors.QueueDeadlinePassed, id="queued"),
        pytest.param(504, "deadline_passed", errors.DeadlinePassed, id="deadline"),
        pytest.param(500, "internal_error", errors.ServerError, id="internal"),
        pytest.param(507, "new_one", errors.ServerError, id="another 5xx"),
        pytest.param(418, "new_one", errors.StatusError, id="another 4xx"),
        pytest.param(500, "queue_full", errors.ServerError, id="the status outweighs the code"),
    ],
)
async def test_each_status_and_code_has_its_class(
    ask: Ask, status: int, code: str, error_class: type[Exception]
) -> None:
    with pytest.raises(errors.StatusError) as caught:
        await ask(serving(refusal(status, code)), "models")
    assert type(caught.value) is error_class


async def test_an_error_carries_what_the_answer_says(ask: Ask) -> None:
    headers = {"x-request-id": "r-7", "retry-after": "4"}
    answer = refusal(503, "queue_full", "asr: 64 wait", param="file", headers=headers)
    with pytest.raises(errors.QueueFull) as caught:
        await ask(serving(answer), "models")
    error = caught.value
    assert (error.status, error.code, error.param) == (503, "queue_full", "file")
    assert (error.message, error.request_id, error.retry_after_s) == ("asr: 64 wait", "r-7", 4.0)
    assert str(error) == "asr: 64 wait (503 queue_full, param file, request r-7)"


async def test_an_error_without_the_servers_id_has_the_id_that_was_sent(ask: Ask) -> None:
    server = serving(refusal(500, "internal_error"))
    with pytest.raises(errors.ServerError) as caught:
        await ask(server, "models")
    assert caught.value.request_id == server.headers[0]["x-request-id"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(httpx.Response(502, html="<h1>x</h1>"), "bad gateway", id="proxy's page"),
        pytest.param(httpx.Response(500, text="a\n b"), "a b", id="text"),
        pytest.param(httpx.Response(500, json={"error": "x"}), "x", id="another shape"),
        pytest.param(httpx.Response(500, json=["x"]), '["x"]', id="a list"),
        pytest.param(httpx.Response(500), "internal server error", id="nothing"),
        pytest.param(httpx.Response(599), "unknown error", id="unknown status"),
    ],
)
async def test_an_error_of_something_in_between_has_a_message(
    ask: Ask, answer: httpx.Response, message: str
) -> None:
    with pytest.raises(errors.ServerError) as caught:
        await ask(serving(answer), "models")
    assert caught.value.message == message


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.Response(200, text="It works!"), id="a page"),
        pytest.param(httpx.Response(200, json={"hello": 1}), id="another API"),
        pytest.param(httpx.Response(200, json=[1]), id="a list"),
        pytest.param(httpx.Response(200, json={"data": [{"id": "x"}]}), id="another model list"),
    ],
)
async def test_an_answer_of_another_server_is_said_to_be_one(
    ask: Ask, answer: httpx.Response
) -> None:
    with pytest.raises(errors.UnexpectedResponse, match="is it a Dragoman server"):
        await ask(serving(answer), "models")


@pytest.mark.parametrize(
    ("failure", "error_class", "builtin"),
    [
        pytest.param(
            httpx.ConnectError("refused"),
            errors.ConnectionFailed,
            builtins.ConnectionError,
            id="refused",
        ),
        pytest.param(
            httpx.ConnectTimeout(""),
            errors.ConnectionFailed,
            builtins.ConnectionError,
            id="no answer to the connection",
        ),
        pytest.param(
            httpx.ReadError(""), errors.ConnectionFailed, builtins.ConnectionError, id="broken"
        ),
        pytest.param(
            httpx.ReadTimeout(""), errors.TimeoutError, builtins.TimeoutError, id="no answer"
        ),
        pytest.param(
            httpx.DecodingError("gzip"), errors.UnexpectedResponse, Exception, id="undecodable"
        ),
    ],
)
async def test_failures_of_the_way_are_both_ours_and_pythons(
    ask: Ask, failure: Exception, error_class: type[Exception], builtin: type[Exception]
) -> None:
    server = serving(failure)
    with pytest.raises(builtin) as caught:
        await ask(server, "models")
    assert type(caught.value) is error_class
    assert "http://127.0.0.1:8000" in str(caught.value)
    assert isinstance(caught.value, errors.DragomanError)
    assert caught.value.request_id == server.headers[0]["x-request-id"]


async def test_a_file_that_is_not_there_is_an_oserror(ask: Ask, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await ask(serving(ok({})), "transcribe", tmp_path / "none.wav")


@pytest.mark.parametrize(
    "error_class", [errors.QueueFull, errors.TimeoutError, errors.ConnectionFailed]
)
def test_errors_survive_pickling(error_class: type[errors.DragomanError]) -> None:
    error = error_class("full", status=503, code="c", request_id="r", retry_after_s=2.0)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is error_class
    assert (str(copy), copy.retry_after_s) == (str(error), 2.0)


def test_the_docstring_lists_every_error() -> None:
    classes = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and value.__module__ == errors.__name__
    }
    assert classes - set(re.findall(r"\w+", errors.__doc__ or "")) == set()
