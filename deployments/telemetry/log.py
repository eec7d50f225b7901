"""Log to stderr, in every process; Ray brings it to the terminal."""

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

MAX_ID_CHARS = 128  # of a request's id, which callers may choose

logger = logging.getLogger("dragoman")
# Joins the lines of one request with each other and with its trace.
request_ids: ContextVar[Mapping[str, str]] = ContextVar("ids", default=MappingProxyType({}))

# The original stderr, because Serve replaces `sys.stderr` and drops lines by its log level.
_handler = logging.StreamHandler(sys.__stderr__)
# The exporter of traces logs what it could not send.
_exporter_logger = logging.getLogger("opentelemetry")


def set_up(log_format: LogFormat = "text") -> None:
    """Prepare the log of this process; a second call changes the format.

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
    """Write a line as one JSON object in ASCII, with a request's ids and an exception if any."""

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
    """Bound a caller's text for a log, and replace what a terminal or a parser would obey."""
    return "".join(char if " " <= char <= "~" else "?" for char in text[:MAX_ID_CHARS])
