"""AsyncGlossaries: the calls that keep glossaries at the server."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from . import parsing
from .async_connection import AsyncConnection
from .exchange import Call
from .glossary_types import KeptGlossary

GLOSSARIES = "/v1/glossaries"


class AsyncGlossaries(AsyncConnection):
    """The part of :class:`AsyncClient` that keeps, lists, shows and deletes glossaries."""

    async def add_glossary(self, name: str, terms: Sequence[Mapping[str, Any]]) -> KeptGlossary:
        """Keep a glossary at the server, and return it with its id.

        A term has ``term``, ``language``, and as needed ``translations`` and ``sounds`` by
        language, and ``case_sensitive``.

        >>> kept = await client.add_glossary(
        ...     "legal", [{"term": "deed", "language": "en", "translations": {"pt": "escritura"}}]
        ... )
        >>> rows = await client.translate_text("Sign the deed.", "en", "pt", glossary=kept.id)
        """
        body = {"name": name, "terms": [dict(term) for term in terms]}
        return await self._send(Call("POST", GLOSSARIES, parsing.glossary, json=body))

    async def glossaries(self) -> list[KeptGlossary]:
        """List your glossaries, without their terms."""
        return await self._send(Call("GET", GLOSSARIES, parsing.glossaries))

    async def glossary(self, glossary_id: str) -> KeptGlossary:
        """Return one of your glossaries."""
        return await self._send(Call("GET", _path(glossary_id), parsing.glossary))

    async def delete_glossary(self, glossary_id: str) -> None:
        """Delete one of your glossaries for good."""
        await self._send(Call("DELETE", _path(glossary_id), parsing.nothing))


def _path(glossary_id: str) -> str:
    return f"{GLOSSARIES}/{urllib.parse.quote(glossary_id, safe='')}"
