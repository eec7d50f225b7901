"""A glossary: terms with their translations and their sounds, as requests use it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.text.term_places import TermPlaces
from models.types import Term


@dataclass(frozen=True, slots=True)
class Entry:
    """One term in all its languages.

    Attributes:
        term: as it is written in ``language``.
        language: its own.
        translations: pairs of a language and the term in it.
        sounds: pairs of a language and how the term is spoken in it: another spelling, or phonemes
            between slashes.
        case_sensitive: whether the term is meant only as it is written.
    """

    term: str
    language: str
    translations: tuple[tuple[str, str], ...] = ()
    sounds: tuple[tuple[str, str], ...] = ()
    case_sensitive: bool = False

    @property
    def words(self) -> Mapping[str, str]:
        """Return the term in each language that it is known in."""
        return {**dict(self.translations), self.language: self.term}


@dataclass(frozen=True, slots=True)
class PairTerms:
    """The terms of a pair of languages, and how they are found."""

    terms: tuple[Term, ...]
    places: TermPlaces

    def within(self, text: str) -> tuple[Term, ...]:
        """Return the terms that stand in a text, each once."""
        found = (self.terms[place.number] for place in self.places.find(text))
        return tuple(dict.fromkeys(found))


class Glossary:
    """Entries, and what each use of them needs, made when it is first asked for.

    Two glossaries of the same entries are equal.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)
        self._hash = hash(self.entries)
        self._pairs: dict[tuple[str, str], PairTerms] = {}
        self._words: dict[str, tuple[str, ...]] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Glossary) and self.entries == other.entries

    def __hash__(self) -> int:
        return self._hash

    def terms(self, source: str, target: str) -> PairTerms:
        """Return the terms of a pair.

        An entry serves in every direction between its languages. Where two have the same word in
        the source, the one whose term it is counts, else the first.
        """
        pair = source, target
        if pair not in self._pairs:
            terms = tuple(self._terms(source, target))
            words = [(term.text, term.case_sensitive) for term in terms]
            self._pairs[pair] = PairTerms(terms, TermPlaces(words, source))
        return self._pairs[pair]

    def words(self, language: str) -> tuple[str, ...]:
        """Return the terms as one language writes them, each once."""
        if language not in self._words:
            found = (entry.words.get(language) for entry in self.entries)
            self._words[language] = tuple(dict.fromkeys(word for word in found if word))
        return self._words[language]

    def _terms(self, source: str, target: str) -> Iterable[Term]:
        seen: set[tuple[str, bool]] = set()
        for entry in sorted(self.entries, key=lambda each: each.language != source):
            words = entry.words
            if source not in words or target not in words:
                continue
            sensitive = entry.case_sensitive
            key = (words[source] if sensitive else words[source].casefold(), sensitive)
            if key not in seen:
                seen.add(key)
                yield Term(words[source], words[target], sensitive)
