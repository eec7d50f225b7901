"""``/v1/glossaries``: keep terms at the server, list, show and delete them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.config.schema import Limits
from deployments.http.glossary_fields import GlossaryFields, Name
from deployments.http.kept import shelf_of
from deployments.http.parsing import json_fields
from deployments.library import glossaries
from deployments.library.shelf import Record, Shelf
from deployments.library.store import Store
from models.text.glossary import Entry

Shown = dict[str, Any]


class NewGlossaryFields(GlossaryFields):
    """A glossary to keep."""

    name: Annotated[Name, Field(min_length=1)]


class GlossaryRoutes:
    """The handlers, over what is kept."""

    def __init__(self, store: Store | None, limits: Limits) -> None:
        self._store, self._limits = store, limits

    def routes(self) -> list[Route]:
        """Return the paths of all glossaries, and of one."""
        return [
            Route("/v1/glossaries", self.create, methods=["POST"]),
            Route("/v1/glossaries", self.list, methods=["GET"]),
            Route("/v1/glossaries/{id}", self.show, methods=["GET"]),
            Route("/v1/glossaries/{id}", self.delete, methods=["DELETE"]),
        ]

    async def create(self, request: Request) -> Response:
        """Keep a glossary, and answer with it and its id."""
        shelf = self._shelf(request)
        fields = await json_fields(request, NewGlossaryFields, self._limits)
        record = await asyncio.to_thread(glossaries.add, shelf, fields.name, fields.entries)
        return JSONResponse(_shown(record, fields.entries), 201)

    async def list(self, request: Request) -> Response:
        """List the caller's glossaries, without their terms."""
        records = await asyncio.to_thread(self._shelf(request).all)
        return JSONResponse({"object": "list", "data": [*map(_listed, records)]})

    async def show(self, request: Request) -> Response:
        """Show one glossary."""
        shelf, id = self._shelf(request), request.path_params["id"]
        record = await asyncio.to_thread(shelf.get, id)
        entries = await asyncio.to_thread(glossaries.entries_of, shelf, id)
        return JSONResponse(_shown(record, entries))

    async def delete(self, request: Request) -> Response:
        """Delete one glossary for good."""
        id = request.path_params["id"]
        await asyncio.to_thread(self._shelf(request).delete, id)
        return JSONResponse({"id": id, "object": "glossary", "deleted": True})

    def _shelf(self, request: Request) -> Shelf:
        return shelf_of(request.scope, self._store, glossaries.KIND)


def _listed(record: Record) -> Shown:
    says = record.says
    return {
        "id": record.id,
        "object": "glossary",
        "name": says["name"],
        "languages": says["languages"],
        "term_count": says["terms"],
        "created_at": round(record.created_at),
    }


def _shown(record: Record, entries: Sequence[Entry]) -> Shown:
    return {**_listed(record), "terms": [*map(_term, entries)]}


def _term(entry: Entry) -> Shown:
    return {
        "term": entry.term,
        "language": entry.language,
        "translations": dict(entry.translations),
        "sounds": dict(entry.sounds),
        "case_sensitive": entry.case_sensitive,
    }
