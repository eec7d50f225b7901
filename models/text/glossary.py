"""A glossary: terms with their translations and their sounds, as requests use it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from models.text.plurals import plural
from models.text.sounding import Sounding
from models.text.spoken_terms import SpokenTerm, SpokenTerms, is_phonemes
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
        self._sounding: dict[str, Sounding] = {}
        self._spoken: dict[str, SpokenTerms] = {}

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

    def sounding_like(self, text: str, language: str) -> tuple[str, ...]:
        """Return the terms of a language that may have been said where a text was heard.

        The most alike comes first; there are few.
        """
        if language not in self._sounding:
            self._sounding[language] = Sounding(self._spelt(language))
        return self._sounding[language].like(text)

    def spelling(self, language: str, terms: Sequence[str]) -> Sounding:
        """Return what finds other spellings of some terms of a language, and of their plurals."""
        plurals = {term: plural(term, language) for term in terms}
        spelt = [
            (spelt if spelt == plurals[term] else term, spelt)
            for term, spelt in self._spelt(language)
            if term in plurals
        ]
        return Sounding(spelt)

    def spoken(self, language: str) -> SpokenTerms:
        """Return the terms that have a sound of their own in a language."""
        if language not in self._spoken:
            sounds = ((each, dict(each.sounds).get(language)) for each in self.entries)
            found = [
                SpokenTerm(word, sound, entry.case_sensitive)
                for entry, sound in sounds
                if sound is not None and (word := entry.words.get(language)) is not None
            ]
            self._spoken[language] = SpokenTerms(found, language)
        return self._spoken[language]

    def _spelt(self, language: str) -> Iterator[tuple[str, str]]:
        """Yield the terms of a language, each as it is written, in the plural, and as it sounds."""
        for entry in self.entries:
            if (term := entry.words.get(language)) is None:
                continue
            yield term, term
            if (more := plural(term, language)) is not None:
                yield term, more
            sound = dict(entry.sounds).get(language)
            if sound is not None and not is_phonemes(sound):
                yield term, sound

    def _terms(self, source: str, target: str) -> Iterator[Term]:
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
