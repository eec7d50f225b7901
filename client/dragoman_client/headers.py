"""Read values of headers: texts by RFC 8187, ``Retry-After`` and ``Server-Timing``."""

from __future__ import annotations

import email.utils
import re
import urllib.parse
from datetime import UTC

REQUEST_ID = "x-request-id"
TIMEOUT = "x-timeout-ms"

_METRICS = re.compile(r'(?:[^,"]|"[^"]*")+')  # split at commas outside quotes
_EXTENDED_VALUE = re.compile(r"(?P<charset>[\w-]+)'[\w-]*'(?P<value>\S*)")  # RFC 8187, 3.2.1


def decode_text(value: str | None) -> str:
    """Decode RFC 8187's ``UTF-8''percent-encoded``; any other text stays as it is.

    >>> decode_text("UTF-8''Ol%C3%A1")
    'Olá'
    """
    match = _EXTENDED_VALUE.fullmatch(value or "")
    if match is None or match["charset"].lower() != "utf-8":  # the one charset RFC 8187 allows
        return value or ""
    return urllib.parse.unquote(match["value"], "utf-8", errors="replace")


def retry_after_s(value: str | None, now_s: float) -> float | None:
    """Read ``Retry-After`` (RFC 9110, 10.2.3): seconds, or a date against ``now_s`` (Unix).

    >>> retry_after_s("3", now_s=0)
    3.0
    >>> retry_after_s("Thu, 01 Jan 1970 00:01:00 GMT", now_s=50)
    10.0
    """
    value = (value or "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:  # "-0000": UTC, says RFC 5322
        date = date.replace(tzinfo=UTC)
    return max(0.0, date.timestamp() - now_s)


def server_timing_ms(value: str | None) -> dict[str, float]:
    """Read ``Server-Timing`` into milliseconds a stage; leave out those without a duration.

    >>> server_timing_ms('asr;dur=120.5;desc="queue 3 ms, batch 4", nmt;dur=30')
    {'asr': 120.5, 'nmt': 30.0}
    """
    timings: dict[str, float] = {}
    for metric in _METRICS.findall(value or ""):
        name, *parameters = (part.strip() for part in metric.split(";"))
        for parameter in parameters:
            key, _, number = parameter.partition("=")
            if key.strip().lower() == "dur":
                try:
                    timings[name] = float(number.strip().strip('"'))
                except ValueError:
                    continue
    return timings
