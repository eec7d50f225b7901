"""The field ``glossary`` of requests: an id, or a glossary itself, and how it is read and found."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    FailFast,
    Field,
    Tag,
    model_validator,
)
from starlette.types import Scope

from deployments.http.kept import shelf_of
from deployments.http.parsing import Fields, Language
from deployments.http.visible_text import VisibleText
from deployments.library import glossaries
from deployments.library.store import Store
from models.errors import NotFound, NothingKept
from models.text.glossary import Entry, Glossary

MAX_TERMS, MAX_CHARS = 1000, 100_000  # of one glossary: its terms, and all of their characters
MAX_TERM_CHARS, MAX_NAME_CHARS = 100, 200
MAX_LANGUAGES = 32  # of one term
MAX_WORDS = 10_000  # of all terms, in all of their languages, and their sounds
MAX_JSON_CHARS = 1 << 20  # of a glossary in a form
CODE = re.compile("[a-z]{2,3}")


def _term(text: str) -> str:
    _short(text, MAX_TERM_CHARS)
    if not any(map(str.isalnum, text)):
        raise ValueError("must hold a letter or a digit")
    return text


def _name(text: str) -> str:
    return _short(text, MAX_NAME_CHARS)


def _short(text: str, max_chars: int) -> str:
    if len(text) > max_chars:
        raise ValueError(f"must have at most {max_chars} characters")
    return text


def _code(code: str) -> str:
    if CODE.fullmatch(code) is None:
        raise ValueError("must name languages, such as en")
    return code


Code = Annotated[Language, AfterValidator(_code)]
Word = Annotated[VisibleText, AfterValidator(_term)]  # of a term, or its sound
Name = Annotated[VisibleText, AfterValidator(_name)]

OF_EACH = ("translations", "sounds")
OF_LANGUAGES: Any = Field(default_factory=dict, max_length=MAX_LANGUAGES)


class TermFields(Fields):
    """A term: in its own language, in others, and how it sounds."""

    term: Word
    language: Code
    translations: Annotated[dict[Code, Word], OF_LANGUAGES]
    sounds: Annotated[dict[Code, Word], OF_LANGUAGES]
    case_sensitive: bool = False

    @model_validator(mode="after")
    def _known(self) -> TermFields:
        if self.language in self.translations:
            raise ValueError(f"translates a term of {self.language} to {self.language}")
        known = {self.language, *self.translations}
        if foreign := self.sounds.keys() - known:
            raise ValueError(f"has a sound in {min(foreign)}, and no word in it")
        return self

    @property
    def entry(self) -> Entry:
        """Return the term as the graph uses it."""
        pairs = tuple(self.translations.items()), tuple(self.sounds.items())
        return Entry(self.term, self.language, *pairs, self.case_sensitive)


def _few_words(terms: Any) -> Any:
    """Refuse more words than are looked at, before any of them is."""
    if isinstance(terms, list):
        tables = [each.get(n) for each in terms if isinstance(each, dict) for n in OF_EACH]
        if len(terms) + sum(len(each) for each in tables if isinstance(each, dict)) > MAX_WORDS:
            raise ValueError(f"must have at most {MAX_WORDS} words, in all languages together")
    return terms


class GlossaryFields(Fields):
    """A glossary in a request."""

    name: Name = ""
    terms: Annotated[
        tuple[TermFields, ...],
        Field(min_length=1, max_length=MAX_TERMS),
        FailFast(),  # else a short text could ask for tens of thousands of errors
        BeforeValidator(_few_words),
    ]

    @model_validator(mode="after")
    def _check(self) -> GlossaryFields:
        if sum(map(_chars, self.terms)) > MAX_CHARS:
            raise ValueError(f"must have at most {MAX_CHARS} characters in all of its terms")
        if twice := _twice(self.terms):
            raise ValueError(f"must have each term of a language once, and has {twice!r} twice")
        return self

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Return the terms as the graph uses them."""
        return tuple(term.entry for term in self.terms)


def _chars(term: TermFields) -> int:
    return len(term.term) + sum(map(len, (*term.translations.values(), *term.sounds.values())))


def _twice(terms: Iterable[TermFields]) -> str | None:
    """Return a term that a language has twice; None: there is none."""
    seen = set[tuple[str, str, bool]]()
    for each in terms:
        text = each.term if each.case_sensitive else each.term.casefold()
        if (key := (each.language, text, each.case_sensitive)) in seen:
            return each.term
        seen.add(key)
    return None


def _parsed(value: Any) -> Any:
    """Read a glossary that a form has as a text of JSON."""
    if not (isinstance(value, str) and value.lstrip().startswith("{")):
        return value
    if len(value) > MAX_JSON_CHARS:
        raise ValueError(f"must have at most {MAX_JSON_CHARS} characters")
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError("must be the id of a glossary, or one in JSON") from error


def _shape(value: Any) -> str:
    return "id" if isinstance(value, str) else "glossary"


AskedGlossary = Annotated[
    Annotated[str, Tag("id")] | Annotated[GlossaryFields, Tag("glossary")],
    Discriminator(_shape),
    BeforeValidator(_parsed),
]


class Glossaries:
    """Finds the glossaries that requests ask for.

    Args:
        store: keeps those of callers; None: nothing is kept, and each request brings its own.
    """

    def __init__(self, store: Store | None) -> None:
        self._store = store
        self._opened = glossaries.Opened()

    async def find(self, scope: Scope, asked: str | GlossaryFields | None) -> Glossary | None:
        """Return what a request asks for; None: it asks for none.

        Raises:
            NotFound: the caller has no such glossary.
            NothingKept: the server keeps nothing.
        """
        if asked is None:
            return None
        if isinstance(asked, GlossaryFields):
            return Glossary(asked.entries)
        try:
            shelf = shelf_of(scope, self._store, glossaries.KIND)
            return await asyncio.to_thread(self._opened.open, shelf, asked)
        except (NotFound, NothingKept) as error:
            error.param = "glossary"
            raise
