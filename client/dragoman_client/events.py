"""Read server-sent events, as the API writes them: a line of JSON each, and ``[DONE]``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeAlias

from . import errors

Event: TypeAlias = dict[str, Any]
PREFIX, DONE = b"data: ", b"[DONE]"


class Reader:
    """Makes events of the pieces of an answer, wherever those are cut."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_done = False

    def add(self, piece: bytes) -> Iterator[Event]:
        """Yield the events that a piece completes.

        Raises:
            StatusError: the server tells an error.
            UnexpectedResponse: this is no event of the API.
        """
        *whole, self._rest = (self._rest + piece).split(b"\n\n")
        for part in whole:
            data = part.removeprefix(PREFIX)
            if data == DONE:
                self._is_done = True
                continue
            event = _parsed(data)
            if isinstance(event.get("error"), dict):
                raise errors.from_event(event["error"])
            yield event

    def end(self) -> None:
        """Raise ConnectionFailed if the answer ended before its last event."""
        if not self._is_done:
            raise errors.ConnectionFailed("the server broke off its answer")


def _parsed(data: bytes) -> Event:
    try:
        event = json.loads(data)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise errors.UnexpectedResponse("the server sent no event of Dragoman's")
    return event
