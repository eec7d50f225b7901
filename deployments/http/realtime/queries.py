"""Read the query of a handshake; what is not known there is ignored, as clients add their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Scope

from deployments.http.middleware.access import TOKEN
from deployments.telemetry import usage
from models.errors import InvalidRequest
from models.text.languages import language_code

MAX_PARAMETERS = 64
FLAGS = {"true": True, "1": True, "false": False, "0": False, "": False}


class Query:
    """The parameters of a handshake; of one that stands twice, the last."""

    def __init__(self, scope: Scope) -> None:
        text = scope.get("query_string", b"").decode("latin-1")
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
        except ValueError as error:
            message = f"the query must have at most {MAX_PARAMETERS} parameters"
            raise InvalidRequest(message, param="query") from error
        self._values = dict(pairs)

    def text(self, name: str) -> str | None:
        """Return a parameter; None: it is not there, or empty."""
        return self._values.get(name) or None

    def flag(self, name: str) -> bool:
        """Return whether a parameter is true. Raises InvalidRequest: it is neither."""
        value = self._values.get(name, "").lower()
        if value not in FLAGS:
            raise InvalidRequest(f"{name} must be true or false", param=name)
        return FLAGS[value]

    def languages(self, name: str) -> tuple[str, ...]:
        """Return the languages of a list with commas. Raises InvalidRequest: one is not known."""
        found = []
        for part in filter(None, (self.text(name) or "").split(",")):
            try:
                code = language_code(part.strip())
            except ValueError:
                code = None
            if code is None:
                raise InvalidRequest(f"{name} must name languages, such as en,pt", param=name)
            found.append(code)
        return tuple(dict.fromkeys(found))

    def session(self, names: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
        """Return the part of a session object that the query has.

        Args:
            names: of each parameter, the way to its field.
        """
        session: dict[str, Any] = {}
        for name, way in names.items():
            value: Any = self.text(name)
            if value is None:
                continue
            if name in LISTS:
                value = list(self.languages(name))
            elif name in BOOLEANS:
                value = self.flag(name)
            part = session
            for step in way[:-1]:
                part = part.setdefault(step, {})
            part[way[-1]] = value
        return session


LISTS = {"to", "languages"}
BOOLEANS = {"text_only", "dragoman_events"}
OWN = {"dragoman_events": ("dragoman", "events"), "name": ("dragoman", "name")}
TRANSLATION = {
    "model": ("model",),
    "language": ("audio", "input", "language"),
    "languages": ("audio", "input", "languages"),
    "delay": ("audio", "input", "delay"),
    "to": ("audio", "output", "languages"),
    "voice": ("audio", "output", "voice"),
    "text_only": ("audio", "output", "text_only"),
    "glossary": ("glossary",),
    **OWN,
}
HEARING = ("audio", "input", "transcription")
TRANSCRIPTION = {
    "model": (*HEARING, "model"),
    "language": (*HEARING, "language"),
    "languages": (*HEARING, "languages"),
    "delay": (*HEARING, "delay"),
    "glossary": ("glossary",),
    **OWN,
}


def owner(scope: Scope) -> str:
    """Return the name of the key that a caller came with; "" where there are no keys."""
    account = usage.current.get()
    if account is not None:
        return account.name
    token = scope.get(TOKEN)
    return "" if token is None else token.owner
