"""Dragoman's own log, of every process: to stderr, which Ray brings to the terminal."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal

LogFormat = Literal["text", "json"]

MAX_ID_CHARS = 128  # of a request's id: callers may choose it

logger = logging.getLogger("dragoman")
# What joins the lines of one request with each other and with its trace.
request_ids: ContextVar[Mapping[str, str]] = ContextVar("ids", default=MappingProxyType({}))

# The process's own: Serve puts a logger in the place of `sys.stderr`, and drops lines by its level.
_handler = logging.StreamHandler(sys.__stderr__)
# The exporter of traces says in its own log what it could not send.
_exporter_logger = logging.getLogger("opentelemetry")


def set_up(log_format: LogFormat = "text") -> None:
    """Once a process; again for another format.

    Serve's own loggers keep the settings of ``logging_config``.
    """
    text = logging.Formatter("dragoman: %(message)s")
    _handler.setFormatter(JsonFormatter() if log_format == "json" else text)
    if not logger.handlers:
        logger.addHandler(_handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        _exporter_logger.addHandler(_handler)


class JsonFormatter(logging.Formatter):
    """A line is one JSON object in ASCII, with a request's ids and an exception where there are."""

    def format(self, record: logging.LogRecord) -> str:
        created = datetime.fromtimestamp(record.created, UTC)
        line = {
            "timestamp": created.isoformat(timespec="milliseconds"),  # RFC 3339
            "level": record.levelname,
            "logger": record.name,
            "pid": record.process,
            "message": record.getMessage(),
            **{name: printable(value) for name, value in request_ids.get().items()},
        }
        if (audited := getattr(record, "audit", None)) is not None:
            line["audit"] = audited
        if record.exc_info and record.exc_info[0]:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def printable(text: str) -> str:
    """A caller's id for a log: bounded, and without what a terminal or a parser would obey."""
    return "".join(char if " " <= char <= "~" else "?" for char in text[:MAX_ID_CHARS])
