"""The judges of what was heard by what was said: pure functions over texts.

Words are compared in lower case and without punctuation; passages by the share of letters that two
of them have in common, since a recogniser seldom hears a sentence twice in the same way.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from itertools import pairwise
from operator import add

from rapidfuzz.distance import Indel

from tests.support.speech import normalise

NEAR_WHOLE = 0.8  # letters in common of a text's parts that pass for the same
NEAR_PASSAGE = 0.9  # of neighbours inside a text, where sentences of one form are common
NEAR_REFERENCE = 0.6  # of a repetition and the reference's, which may be spelt otherwise
NEAR_HEARD = 0.8  # of a passage and where a text has it
NEAR_SINGLE = 0.85  # of a passage of one word: "now" is not "no"
NEAR_WORD = 0.7
LEAST_WORDS = 3  # of a passage inside a text; shorter ones are often said twice
MOST_WORDS = 30
MOST_WHOLE = 150  # words of a text that may be nothing but one passage again and again
MOST_TIMES = 6
SENTENCE_END = re.compile(r"(\.|…|!|\?|。)[\"'»”)]*$")
ELLIPSIS = re.compile(r"^[\"'«“(]*(\.\.|…)")


@dataclass(frozen=True)
class Repeated:
    """Name a passage that stands in a text so many times, back to back."""

    passage: str
    times: int


@dataclass(frozen=True)
class Lost:
    """Count how the words of a text differ from those of its reference."""

    words: int  # of the reference
    deleted: int
    inserted: int
    substituted: int

    def __add__(self, other: Lost) -> Lost:
        return Lost(*map(add, astuple(self), astuple(other)))

    @property
    def cells(self) -> list[int | float]:
        """Return the deleted, inserted and substituted words, and the WER in %."""
        return [self.deleted, self.inserted, self.substituted, 100 * self.wer]

    @property
    def wer(self) -> float:
        """Return a fraction; 0 where nothing was said and nothing heard."""
        wrong = self.deleted + self.inserted + self.substituted
        return wrong / max(self.words, 1)


@dataclass(frozen=True)
class Recovered:
    """Count a language's words: how many there were, and how many a text has."""

    words: int = 0
    found: int = 0

    def __add__(self, other: Recovered) -> Recovered:
        return Recovered(*map(add, astuple(self), astuple(other)))

    @property
    def share(self) -> float:
        return self.found / self.words if self.words else 1.0


def words(text: str) -> list[str]:
    return normalise(text).split()


def alike(one: Sequence[str], other: Sequence[str]) -> float:
    """Return the share of letters in common, 0 to 1; where words part does not count."""
    return Indel.normalized_similarity("".join(one), "".join(other))


def _near(one: Sequence[str], other: Sequence[str], least: float) -> bool:
    # Below the cut-off it is 0, and found so at once.
    return Indel.normalized_similarity(" ".join(one), " ".join(other), score_cutoff=least) >= least


# ---- said twice ------------------------------------------------------------------------


def said_twice(text: str, *references: str) -> tuple[Repeated, ...]:
    """Find what ``text`` says more times in a row than any of the references.

    That is the whole of it, of whatever length, or passages of at least ``LEAST_WORDS`` words.
    """
    excuses = [each for reference in references for each in repeats(reference)]
    return tuple(
        found
        for found in repeats(text)
        if not any(
            excuse.times >= found.times
            and _near(found.passage.split(), excuse.passage.split(), NEAR_REFERENCE)
            for excuse in excuses
        )
    )


@lru_cache(maxsize=1024)
def repeats(text: str) -> tuple[Repeated, ...]:
    """Find all that stands in a text several times back to back, as its shortest passages."""
    said = words(text)
    passages = tuple(_passages(said))
    most = min(MOST_TIMES, len(said)) if len(said) <= MOST_WHOLE and not passages else 1
    for times in range(most, 1, -1):
        if whole := _equal_parts(said, times):
            return (Repeated(" ".join(whole), times),)
    return passages


def _passages(said: Sequence[str]) -> Iterator[Repeated]:
    free = [True] * len(said)
    for least in (1.0, NEAR_PASSAGE):  # the very same first: it tells best where one begins
        place = 0
        while place < len(said):
            found = _passage_at(said, place, least) if free[place] else None
            if found is None or not all(free[place : found.end]):
                place += 1
                continue
            yield Repeated(" ".join(said[place : place + found.length]), found.times)
            free[place : found.end] = [False] * (found.end - place)
            place = found.end


def _equal_parts(said: Sequence[str], times: int) -> Sequence[str] | None:
    """Return the first of so many nearly equal parts of a whole text."""
    length = round(len(said) / times)
    spare = 0 if len(said) < 2 * LEAST_WORDS else max(1, length // 6)
    for first in range(max(length - spare, 1), length + spare + 1):
        rest, parts = said[first:], times - 1
        cuts = [round(number * len(rest) / parts) for number in range(times)]
        if all(_near(said[:first], rest[begin:end], NEAR_WHOLE) for begin, end in pairwise(cuts)):
            return said[:first]
    return None


@dataclass(frozen=True)
class _Passage:
    length: int  # in words
    times: int
    end: int  # the place behind its last time


def _passage_at(said: Sequence[str], place: int, least: float) -> _Passage | None:
    """Find the shortest passage from a place that comes again at once."""
    for length in range(LEAST_WORDS, min(MOST_WORDS, len(said) - place) + 1):
        passage, times, end = said[place : place + length], 1, place + length
        while again := _again(said, end, passage, least):
            times, end = times + 1, again
        if times > 1:
            return _Passage(length, times, end)
    return None


def _again(said: Sequence[str], begin: int, passage: Sequence[str], least: float) -> int | None:
    """Find where the same passage ends if it begins at a place."""
    length = len(passage)
    if list(said[begin : begin + length]) == list(passage):
        return begin + length
    if least >= 1.0 or length <= LEAST_WORDS:  # a word that differs among few: another sentence
        return None
    ends = (begin + length, begin + length - 1, begin + length + 1)
    fitting = (end for end in ends if end <= len(said))
    return next((end for end in fitting if _near(passage, said[begin:end], least)), None)


# ---- repetitions that are meant --------------------------------------------------------


def kept_repetition(text: str, times: int, *passages: str) -> bool:
    """Tell whether a text has a passage exactly so many times.

    ``passages`` are ways to write it, such as the script and what was heard of it alone.
    """
    return any(occurrences(text, passage) == times for passage in passages if words(passage))


def occurrences(text: str, passage: str) -> int:
    """Count how many times a text has a passage, or nearly so, without overlap."""
    said, wanted = words(text), words(passage)
    if any(letter.isdigit() for letter in passage):  # "4 7 1", "471" and "4.71" are one number
        digits, number = "".join(said), "".join(wanted)
        if digits.count(number):
            return digits.count(number)
    least = NEAR_SINGLE if len(wanted) == 1 else NEAR_HEARD
    count = place = 0
    while place < len(said):
        end, score = _best_end(said, place, wanted)
        if score >= least and score >= _best_end(said, place + 1, wanted)[1]:
            count, place = count + 1, end
        else:
            place += 1
    return count


def _best_end(said: Sequence[str], place: int, wanted: Sequence[str]) -> tuple[int, float]:
    spare = max(len(wanted) // 3, 1) if len(wanted) > 1 else 0
    ends = range(place + max(len(wanted) - spare, 1), place + len(wanted) + spare + 1)
    scored = [(alike(said[place:end], wanted), -end) for end in ends if end <= len(said)]
    score, end = max(scored, default=(0.0, -place - 1))
    return -end, score


# ---- words -----------------------------------------------------------------------------


def words_lost(text: str, reference: str) -> Lost:
    import jiwer

    wanted, heard = normalise(reference), normalise(text)
    if not wanted:
        return Lost(0, 0, len(heard.split()), 0)
    counted = jiwer.process_words(wanted, heard)
    return Lost(len(wanted.split()), counted.deletions, counted.insertions, counted.substitutions)


def aligned(reference: Sequence[str], heard: Sequence[str]) -> list[int | None]:
    """Find the place of the word heard for each of the reference; None where it is lost."""
    import jiwer

    found: list[int | None] = [None] * len(reference)
    if not reference or not heard:
        return found
    (chunks,) = jiwer.process_words(" ".join(reference), " ".join(heard)).alignments
    for chunk in chunks:
        if chunk.type in ("equal", "substitute"):
            for step in range(chunk.ref_end_idx - chunk.ref_start_idx):
                found[chunk.ref_start_idx + step] = chunk.hyp_start_idx + step
    return found


def by_language(text: str, parts: Sequence[tuple[str, str]]) -> dict[str, Recovered]:
    """Count the words of each language that a text has, of those that its parts give alone.

    ``parts`` are (language, text) in order. A word that was heard a little otherwise is there; one
    in another language in its place is not.
    """
    tagged = [(language, word) for language, part in parts for word in words(part)]
    heard = words(text)
    found: defaultdict[str, Recovered] = defaultdict(Recovered)
    places = aligned([word for _, word in tagged], heard)
    for (language, word), place in zip(tagged, places, strict=True):
        there = place is not None and _near([word], [heard[place]], NEAR_WORD)
        found[language] += Recovered(1, int(there))
    return dict(found)


def broken_at(text: str, before: str, after: str) -> bool:
    """Tell whether a text ends a sentence between two halves of one, or has dots there."""
    # A sign that stands alone belongs to the word ahead of it.
    joined = re.sub(r"\s+(?=[^\w\s]+(\s|$))", "", text)
    tokens = [(word, token) for token in joined.split() for word in words(token)]
    first, second = words(before), words(after)
    places = aligned(first + second, [word for word, _ in tokens])
    ahead = [place for place in places[: len(first)] if place is not None]
    behind = [place for place in places[len(first) :] if place is not None]
    if not ahead or not behind:
        return False  # one half is lost: the words that are missing tell
    between = [token for _, token in tokens[ahead[-1] : behind[0] + 1]]
    return any(SENTENCE_END.search(token) for token in between[:-1]) or any(
        ELLIPSIS.search(token) for token in between[1:]
    )
