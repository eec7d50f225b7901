"""The log's two formats: lines for people, and JSON that a collector joins with the traces."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from deployments.telemetry.log import (
    MAX_ID_CHARS,
    JsonFormatter,
    LogFormat,
    logger,
    request_ids,
    set_up,
)

IDS = {"request_id": "abc", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}


@pytest.fixture
def ids() -> Iterator[None]:
    """Inside of a request."""
    outer = request_ids.set(IDS)
    yield
    request_ids.reset(outer)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose log is not set up yet."""
    for name in ("dragoman", "opentelemetry"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)


def record(message: str, *values: object, exc_info: Any = None) -> logging.LogRecord:
    return logging.LogRecord("dragoman", logging.WARNING, "", 0, message, values, exc_info)


def line(message: str, *values: object, exc_info: Any = None) -> dict[str, Any]:
    """Return what a collector reads of one record, which must be one line."""
    text = JsonFormatter().format(record(message, *values, exc_info=exc_info))
    assert text.isascii()
    assert len(text.splitlines()) == 1
    read: dict[str, Any] = json.loads(text)
    return read


def test_a_line_names_its_level_logger_and_message() -> None:
    read = line("model %r is slow", "asr")
    assert (read["level"], read["logger"]) == ("WARNING", "dragoman")
    assert read["message"] == "model 'asr' is slow"


def test_a_line_has_its_time_in_utc() -> None:
    created = record("now")
    read = datetime.fromisoformat(json.loads(JsonFormatter().format(created))["timestamp"])
    assert read.tzinfo == UTC
    assert read.timestamp() == pytest.approx(created.created, abs=0.001)


@pytest.mark.parametrize("message", ["two\nlines", "Olá\u2028!", '{"a": "b"}'], ids=ascii)
def test_any_message_stays_one_line_and_itself(message: str) -> None:
    assert line(message)["message"] == message


def test_an_exception_comes_with_its_traceback() -> None:
    try:
        raise ValueError("no such voice")
    except ValueError:
        exception = line("failed", exc_info=sys.exc_info())["exception"]
    assert exception.startswith("Traceback")
    assert exception.endswith("ValueError: no such voice")


def test_a_line_without_an_exception_has_no_field_for_one() -> None:
    assert "exception" not in line("fine", exc_info=(None, None, None))


@pytest.mark.usefixtures("ids")
def test_a_line_within_a_request_has_its_ids() -> None:
    read = line("hello")
    assert {name: read[name] for name in IDS} == IDS


def test_a_line_outside_of_requests_has_no_ids() -> None:
    assert not IDS.keys() & line("hello").keys()


@pytest.mark.parametrize(
    ("given", "logged"),
    [
        pytest.param("a\nb\x1b[2J\x85c", "a?b?[2J?c", id="control characters"),
        pytest.param("x" * 10_000, "x" * MAX_ID_CHARS, id="length"),
        pytest.param('"}', '"}', id="quotes are escaped"),
    ],
)
def test_a_caller_s_id_cannot_break_a_line(given: str, logged: str) -> None:
    outer = request_ids.set({"request_id": given})
    read = line("hello")
    request_ids.reset(outer)
    assert read["request_id"] == logged


@pytest.mark.usefixtures("fresh", "ids")
@pytest.mark.parametrize("formats", [["text"], ["json", "text"]], ids=["alone", "after json"])
def test_text_is_for_people(formats: list[LogFormat], capfd: pytest.CaptureFixture[str]) -> None:
    for log_format in formats:
        set_up(log_format)
    logger.info("ready at %s", "http://x")
    assert capfd.readouterr().err == "dragoman: ready at http://x\n"


@pytest.mark.usefixtures("fresh", "ids")
@pytest.mark.parametrize("formats", [["json"], ["text", "json"]], ids=["alone", "after text"])
def test_json_is_a_switch(formats: list[LogFormat], capfd: pytest.CaptureFixture[str]) -> None:
    for log_format in formats:
        set_up(log_format)
    logger.info("ready")
    (only,) = capfd.readouterr().err.splitlines()
    assert json.loads(only)["request_id"] == "abc"


@pytest.mark.usefixtures("fresh")
def test_whoever_takes_stderr_does_not_take_the_log(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())  # as Serve does in its replicas
    set_up()
    logger.info("ready")
    assert capfd.readouterr().err == "dragoman: ready\n"


@pytest.mark.usefixtures("fresh")
def test_the_exporter_of_traces_writes_to_the_same_log(capfd: pytest.CaptureFixture[str]) -> None:
    set_up("json")
    logging.getLogger("opentelemetry.exporter").warning("nobody listens there")
    (only,) = capfd.readouterr().err.splitlines()
    assert json.loads(only)["logger"] == "opentelemetry.exporter"
