"""Define glossaries as the client returns and takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec
from msgspec import field

from .answer import Answer

# The id of one that the server keeps, or a glossary itself: {"terms": [{"term": ..., ...}]}.
Glossary: TypeAlias = str | Mapping[str, Any]


class GlossaryTerm(Answer, frozen=True):
    """A term in its own language, in others, and how it sounds."""

    term: str
    language: str
    translations: dict[str, str] = field(default_factory=dict)
    sounds: dict[str, str] = field(default_factory=dict)
    case_sensitive: bool = False


class KeptGlossary(Answer, frozen=True):
    """A glossary that the server keeps; a list of them leaves out the terms."""

    id: str
    name: str
    languages: tuple[str, ...]
    term_count: int
    created_at: int
    terms: tuple[GlossaryTerm, ...] = ()


def as_text(glossary: Glossary | None) -> str | None:
    """Write a glossary as a field of a form has it."""
    if glossary is None or isinstance(glossary, str):
        return glossary
    return msgspec.json.encode(glossary).decode()
