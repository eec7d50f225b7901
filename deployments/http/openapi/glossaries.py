"""The operations on glossaries, and their answers as types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel

from deployments.http.openapi.operations import JSON, Answer, Operation, Route
from deployments.http.v1.glossaries import NewGlossaryFields

TAG = "Glossaries"


class GlossaryTerm(BaseModel):
    """A term in its own language, in others, and how it sounds."""

    term: str
    language: str
    translations: dict[str, str]
    sounds: dict[str, str]
    case_sensitive: bool


class ListedGlossary(BaseModel):
    """A glossary that is kept, without its terms."""

    id: str
    object: Literal["glossary"]
    name: str
    languages: list[str]
    term_count: int
    created_at: int


class KeptGlossary(ListedGlossary):
    """A glossary that is kept."""

    terms: list[GlossaryTerm]


class KeptGlossaries(BaseModel):
    """The caller's glossaries."""

    object: Literal["list"]
    data: list[ListedGlossary]


class DeletedGlossary(BaseModel):
    """A glossary that is gone."""

    id: str
    object: Literal["glossary"]
    deleted: Literal[True]


OPERATIONS: Mapping[Route, Operation] = {
    ("POST", "/v1/glossaries"): Operation(
        "create_glossary",
        TAG,
        "Keep a glossary",
        {201: Answer("The glossary, with its id.", {JSON: KeptGlossary})},
        {JSON: NewGlossaryFields},
        errors=(422,),
    ),
    ("GET", "/v1/glossaries"): Operation(
        "list_glossaries",
        TAG,
        "List the glossaries of the key",
        {200: Answer("The glossaries, without their terms.", {JSON: KeptGlossaries})},
        errors=(422,),
    ),
    ("GET", "/v1/glossaries/{id}"): Operation(
        "show_glossary",
        TAG,
        "Show one glossary",
        {200: Answer("The glossary.", {JSON: KeptGlossary})},
        parameters=("GlossaryId",),
        errors=(404, 422),
    ),
    ("DELETE", "/v1/glossaries/{id}"): Operation(
        "delete_glossary",
        TAG,
        "Delete one glossary for good",
        {200: Answer("It is gone.", {JSON: DeletedGlossary})},
        parameters=("GlossaryId",),
        errors=(404, 422),
    ),
}
