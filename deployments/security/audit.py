"""Log what operators do and which requests are refused, each as one line.

A line has the name of a key and never the key, and nothing of the audio or text of callers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deployments.telemetry import usage
from deployments.telemetry.log import printable, request_ids
from models.errors import DragomanError

logger = logging.getLogger("dragoman.audit")
QUIET_S = 1.0  # between two lines of one reason, so that refused callers cannot fill the log


def note(event: str, **fields: str | int) -> None:
    """Write one line: the event, the key and the request that it belongs to, and ``fields``."""
    ids, account = request_ids.get(), usage.current.get()
    of_request: dict[str, str | int] = {"request": ids["request_id"]} if "request_id" in ids else {}
    of_key: dict[str, str | int] = {} if account is None else {"key": account.name}
    found = {**of_key, **fields, **of_request}
    told = {
        name: printable(value) if isinstance(value, str) else value for name, value in found.items()
    }
    text = " ".join(f"{name}={value}" for name, value in told.items())
    logger.info("audit: %s %s", event, text, extra={"audit": {"event": event, **told}})


@contextmanager
def action(event: str, **fields: str | int) -> Iterator[None]:
    """Note what an operator does, when it has ended, with its outcome."""
    outcome = "cancelled"
    try:
        yield
        outcome = "done"
    except DragomanError as error:
        outcome = error.code
        raise
    except Exception:
        outcome = "failed"
        raise
    finally:
        note(event, **fields, outcome=outcome)


class Refusals:
    """Log refused requests: one line of a reason in ``QUIET_S``, with the count of the others."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said_at: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def note(self, reason: str, **fields: str | int) -> None:
        """Log a refusal, or count it for the next line of its reason."""
        now = self._clock()
        if now - self._said_at.get(reason, -QUIET_S) < QUIET_S:
            self._unsaid[reason] = self._unsaid.get(reason, 0) + 1
            return
        self._said_at[reason] = now
        unsaid = self._unsaid.pop(reason, 0)
        note("refused", reason=reason, **fields, **({"and_before": unsaid} if unsaid else {}))
