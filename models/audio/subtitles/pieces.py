"""Cuts texts into pieces between which a line may break, each break with its cost."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from models.audio.subtitles.languages import CONJUNCTIONS, LEANING
from models.audio.subtitles.limits import limits_of
from models.text.sentences import split

# Space at which a line may break; no-break spaces keep a number with its unit.
_SPACE = re.compile(r"[^\S\u00a0\u2007\u202f]+")
_WORD = re.compile(r"(?:\S|[\u00a0\u2007\u202f])+")
# Scripts that set no space between words: Chinese and Japanese with their punctuation, Thai,
# Lao, Myanmar, Khmer.
_UNSPACED = re.compile(
    "[\u3001-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff0f\uff1a-\uff20"
    "\uff3b-\uff40\uff5b-\uff9f\U00020000-\U0003ffff"
    "\u0e01-\u0e5b\u0e81-\u0edf\u1000-\u109f\u1780-\u17f9]"
)
_ABUGIDA = re.compile("[\u0e01-\u0edf\u1000-\u109f\u1780-\u17f9]")
_KANA = re.compile("[\u3041-\u3096]")  # hiragana: a Japanese phrase ends in it
# No line begins with these: small kana, and vowels that stand behind their consonant.
_NEVER_FIRST = frozenset("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ〜～ะาำๅฯະາຳຯ")
_LEADING_VOWELS = frozenset("เแโใไເແໂໃໄ")  # of Thai and Lao, before their consonant
_NEVER_LAST = _LEADING_VOWELS | frozenset("¿¡\u200d\u1039\u17d2")  # joiners
_CLAUSE_END = frozenset(",;:،؛、，；：—–―)]}»”」』）")
_SENTENCE_END = frozenset("。！？")  # end a sentence without a space, in every language
_FULL_STOPS = frozenset(".!?…؟।") | _SENTENCE_END
_CLOSERS = "\"'”’»)]」』"
_DASHES = frozenset("-–—―")
_NICE_IN_A_WORD = frozenset("-/_.,?&=~")  # the best places to cut a word that is too long
_SHORTEST_SHARE = 2 / 3  # of a full part: a shorter one is not cut there


class Break(IntEnum):
    """Costs of ending a line or a cue at a place."""

    SENTENCE = 0
    CLAUSE = 8
    CONJUNCTION = 16
    PHRASE = 20  # before a word that leans on the next, such as a preposition
    SPACE = 24
    CHARACTER = 34  # in a script without spaces
    LEANING = 48  # behind a word that leans on the next
    WORD = 54  # in a word that no line holds


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text that stays in one line, no wider than a line of its language."""

    text: str
    space: str  # before it, if the line does not break there
    before: Break  # the cost of a break before it


def display_width(text: str) -> int:
    """Count columns: 2 for a wide East Asian character, 0 for a combining one."""
    if text.isascii():
        return len(text)
    return sum(map(_char_width, text))


def pieces(text: str, language: str) -> list[Piece]:
    """Cut a text into its smallest parts. Joined with their spaces they are the text.

    White space becomes single spaces. "-->" gets a space, since neither format may hold it in a
    cue.
    """
    text = _SPACE.sub(" ", text.replace("-->", "-- >")).strip()
    starts, line_width = _sentence_starts(text, language), limits_of(language).line_width
    found: list[Piece] = []
    for start, stop in _spans(text):
        for number, (part, is_whole) in enumerate(_parts(text[start:stop], line_width)):
            space = " " if number == 0 and found and start > 0 and text[start - 1] == " " else ""
            if not found or (number == 0 and start in starts):
                before = Break.SENTENCE
            elif not is_whole:
                before = Break.WORD
            else:
                before = _break(found[-1], part, space, language)
            found.append(Piece(part, space, before))
    return found


def ends_sentence(text: str) -> bool:
    """Tell whether a text that others follow ends a sentence."""
    return text.rstrip(_CLOSERS)[-1:] in _FULL_STOPS


def space_between(last: str, first: str) -> str:
    """Return what stands between two texts in one line: nothing in Chinese and Japanese."""
    both = (last[-1], first[0])
    return "" if all(_UNSPACED.match(c) and not _ABUGIDA.match(c) for c in both) else " "


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the words of a text stand; of scripts without spaces, their characters."""
    span: tuple[int, int] | None = None
    for word in _WORD.finditer(text):
        if not word[0].strip():
            continue
        for start, stop in _characters(word):
            # French sets a space before some punctuation.
            if span is not None and start == word.start() and _is_closing(text[start:stop]):
                span = (span[0], stop)
                continue
            if span is not None:
                yield span
            span = (start, stop)
    if span is not None:
        yield span


def _characters(word: re.Match[str]) -> Iterator[tuple[int, int]]:
    """Return a word whole, or its parts between which a line may break without a space."""
    text, start = word[0], 0
    if text.isascii():
        yield word.span()
        return
    for position in range(1, len(text)):
        if _may_break(text[position - 1], text[position]):
            yield word.start() + start, word.start() + position
            start = position
    yield word.start() + start, word.end()


def _may_break(last: str, first: str) -> bool:
    if _continues(first) or first in _NEVER_FIRST or last in _NEVER_LAST:
        return False
    if first.isspace() or last.isspace():  # the space keeps them together
        return False
    if unicodedata.category(first) in ("Pe", "Pf", "Po", "Lm"):
        return False
    if unicodedata.category(last) in ("Ps", "Pi", "Sc"):
        return False
    is_dash = last in "—―" and first.isalnum()
    return is_dash or bool(_UNSPACED.match(last) or _UNSPACED.match(first))


def _parts(word: str, line_width: int) -> Iterator[tuple[str, bool]]:
    """Yield a word whole, or in equal parts that fit a line; the flag marks its first part."""
    width, is_whole = display_width(word), True
    while width > line_width:
        count = -(-width // line_width)
        cut = _cut_in_word(word, -(-width // count))
        if part := word[:cut].strip():
            yield part, is_whole
            is_whole = False
        word = word[cut:].strip()
        width = display_width(word)
    if word:
        yield word, is_whole


def _cut_in_word(word: str, target: int) -> int:
    """Return the best place to cut; the part before it is at most ``target`` wide."""
    cut, width = 0, 0
    clean = nice = 0
    nice_width = 0
    for position, char in enumerate(word):
        if position and not _continues(char) and word[position - 1] not in _NEVER_LAST:
            clean = position
            if word[position - 1] in _NICE_IN_A_WORD or word[position - 1].isspace():
                nice, nice_width = position, width
        width += _char_width(char)
        if width > target:
            break
        cut = position + 1
    if nice_width >= _SHORTEST_SHARE * target:
        return nice
    return clean or cut or 1


def _break(last: Piece, part: str, space: str, language: str) -> Break:
    """Return the cost of a break between two pieces of which the second begins no sentence."""
    end, begin = last.text[-1], part[0]
    if end in _SENTENCE_END:
        return Break.SENTENCE
    if unicodedata.category(end) in ("Ps", "Pi") or part in _DASHES:
        return Break.LEANING
    if last.text in _DASHES and last.before == Break.SENTENCE:
        return Break.LEANING  # the dash before a speaker's words
    if end in _CLAUSE_END:
        return Break.CLAUSE
    if space and _UNSPACED.match(end) and _UNSPACED.match(begin):
        return Break.CLAUSE
    if not space:
        return _break_between_characters(end, begin)
    base = language.split("-")[0].lower()
    conjunctions, leaning = CONJUNCTIONS.get(base, ()), LEANING.get(base, ())
    before, behind = _bare(last.text), _bare(part)
    if before not in conjunctions and behind in conjunctions:
        return Break.CONJUNCTION
    if before in conjunctions or before in leaning:
        return Break.LEANING
    return Break.PHRASE if behind in leaning else Break.SPACE


def _break_between_characters(end: str, begin: str) -> Break:
    """Guess the cost of a break in scripts that do not mark where a word begins."""
    if _ABUGIDA.match(begin):
        return Break.SPACE if begin in _LEADING_VOWELS else Break.WORD
    is_phrase_end = _KANA.match(end) and not _KANA.match(begin)
    return Break.SPACE if is_phrase_end else Break.CHARACTER


def _sentence_starts(text: str, language: str) -> set[int]:
    """Return where words stand that begin a sentence."""
    found, end = set(), 0
    cut = split(text, language, max_chars=len(text) + 1)
    for gap, sentence in zip(cut.gaps, cut.sentences, strict=False):
        # Punctuation right behind a sentence belongs to it.
        after = _SPACE.search(text, end) if gap.strip() else None
        start = end + len(gap)
        found.add(after.end() if after and after.end() < start else start)
        end = start + len(sentence)
    return found


def _bare(word: str) -> str:
    return word.casefold().strip("\"'“”‘’«»()[]¿¡.,;:!?…،")


def _is_closing(text: str) -> bool:
    """Tell whether a piece is only punctuation that belongs to the word before it."""
    return all(char not in "¿¡&#@*§" and _is_closing_char(char) for char in text)


def _is_closing_char(char: str) -> bool:
    return unicodedata.category(char) in ("Pe", "Pf", "Po")


def _char_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf") or "\u1160" <= char <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _continues(char: str) -> bool:
    """Tell whether a character is displayed as a part of the one before it."""
    return (
        unicodedata.category(char) in ("Mn", "Mc", "Me")
        or "\u1160" <= char <= "\u11ff"  # vowels and ends of Hangul syllables
        or char in "\u200c\u200d"
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # skin tones
    )
