"""Translates one text: keeps what is not prose, and mends or reports what is doubtful.

The model is not called here. Each step asks for the translations of some texts, so that the caller
can put those of many texts into one batch.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from models.text import capitals, characters, doubts, items, marks, numbers, short
from models.text.edges import Edges, trimmed
from models.text.items import Item, Part, Placed
from models.text.pieces import joined, pieces
from models.text.vocabulary import Lacks, kept_apart
from models.types import AnswerWarning


@dataclass(frozen=True, slots=True)
class Setting:
    """The setting of one text: languages, characters that the model lacks, and whether to mend.

    Without ``mends`` a text is translated only once, as the caller bounds its translation.
    """

    source: str
    target: str
    lacks: Lacks
    mends: bool = True


@dataclass(frozen=True, slots=True)
class Kept:
    text: str
    warnings: tuple[AnswerWarning, ...] = ()


# Yields texts, receives their translations, and returns the answer.
Steps: TypeAlias = Generator[list[str], Sequence[str], Kept]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A text as the model gets it: ``parts`` between ``edges``."""

    parts: list[Part]
    edges: Edges
    shouted: bool
    capital: bool  # its first capital is written small for the model alone
    runs: tuple[str, ...]  # passages in capitals, in small letters
    foreign: tuple[str, ...]  # words that the model cannot read

    @property
    def prose(self) -> str:
        return _prose(self.parts)


@dataclass(frozen=True, slots=True)
class _Answer:
    text: str
    prose: str
    lost: tuple[numbers.Number, ...]
    whole: bool = True


def keep(text: str, setting: Setting, placed: Sequence[Placed] = ()) -> Steps:
    """Translate a text, see the module. A text without words needs no translation.

    ``placed`` are items that the translation has in place of passages of the text.
    """
    whole = items.parts(text, placed)
    prepared = _prepare(text, whole, setting)
    if not any(map(str.isalpha, prepared.prose)) or _is_foreign(prepared):
        yield [""]  # lets the engine report errors of the request
        return _untouched(text, whole, prepared, setting)
    style = next((s for s in marks.STYLES if not setting.lacks(s.format(1))), marks.STYLES[0])
    marked = marks.mark(prepared.parts, style)
    first, *quiet = yield [marked.text, *prepared.runs]
    answer = _answer(first, marked, prepared, setting)
    cut = False
    if setting.mends:
        if not answer.whole or answer.lost:
            answer, cut = yield from _mend(answer, prepared, setting)
        elif short.is_short(marked.text) and not marked.marks:
            chosen = yield from _short(marked.text, first)
            answer = _answer(chosen, marked, prepared, setting)
    found = answer.text
    for run in quiet:
        found = capitals.shout(found, run)
    found = characters.restore(prepared.edges.around(found), text)
    return Kept(found, tuple(_warnings(answer, cut, marked, prepared, setting)))


def _prepare(text: str, cut: Sequence[Part], setting: Setting) -> _Prepared:
    plain: list[Part] = [part if isinstance(part, Item) else characters.plain(part) for part in cut]
    shouted = capitals.is_shouted(_prose(plain))
    runs = list[str]()
    whole: list[Part] = [""]
    for place, part in enumerate(plain):
        if isinstance(part, Item):
            items.join(whole, str(whole[-1]), part)
            continue
        if shouted:
            part = capitals.said(part, setting.source, starts=place == 0)
        else:
            part, quiet = capitals.quietened(part, setting.source, starts=place == 0)
            runs += quiet
        apart = kept_apart(part, setting.lacks)
        whole[-1] = f"{whole[-1]}{apart[0]}"
        for item, prose in zip(apart[1::2], apart[2::2], strict=True):
            assert isinstance(item, Item)
            items.join(whole, str(whole[-1]), item)
            whole[-1] = prose
    edges, parts = trimmed(whole)
    capital = str(parts[0])[:1].islower() and _letters(text)[:1].isupper() and not shouted
    foreign = tuple(
        part.text for part in whole if isinstance(part, Item) and part.kind == "foreign"
    )
    return _Prepared(parts, edges, shouted, capital, tuple(runs), foreign)


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text))


def _prose(parts: Sequence[Part]) -> str:
    return " ".join(part for part in parts if isinstance(part, str))


def _is_foreign(prepared: _Prepared) -> bool:
    """Tell whether most of a text is in letters that the model cannot read."""
    unknown = sum(map(_is_of_another_script, "".join(prepared.foreign)))
    return unknown > sum(map(str.isalpha, prepared.prose))


def _is_of_another_script(character: str) -> bool:
    return character.isalpha() and not unicodedata.name(character, "").startswith("LATIN")


def _untouched(text: str, cut: Sequence[Part], prepared: _Prepared, setting: Setting) -> Kept:
    if not any(map(str.isalpha, prepared.prose)):
        parts = (
            part.text
            if isinstance(part, Item)
            else numbers.localised(part, setting.source, setting.target)
            for part in cut
        )
        text = "".join(parts).strip()
    warnings = (doubts.passed_through(prepared.foreign),) if prepared.foreign else ()
    return Kept(text, warnings)


def _answer(
    translation: str, marked: marks.Marked, prepared: _Prepared, setting: Setting
) -> _Answer:
    if prepared.shouted:
        translation = translation.upper()
    back = marks.put_back(translation, marked)
    text = capitals.with_acronyms(back.text, prepared.prose)
    if prepared.capital:
        text = text[:1].upper() + text[1:]
    return _Answer(text, back.prose, _lost(prepared.prose, back.prose, setting), back.whole)


def _short(source: str, answer: str) -> Generator[list[str], Sequence[str], str]:
    """Translate a word or two; a doubtful answer is compared with those to other spellings."""
    if not short.is_doubtful(source, answer):
        return short.fitted(source, answer)
    others = yield short.variants(source)
    return short.choose(source, answer, others)


def _lost(source: str, answer: str, setting: Setting) -> tuple[numbers.Number, ...]:
    return tuple(numbers.missing(source, setting.source, answer, setting.target))


def _mend(
    answer: _Answer, prepared: _Prepared, setting: Setting
) -> Generator[list[str], Sequence[str], tuple[_Answer, bool]]:
    """Translate again with the lost numbers marked, in each style of marks; else piece by piece."""
    parts = _with_numbers(prepared.parts, answer.lost, setting)
    with_numbers = replace(prepared, parts=parts)
    tries = [
        marks.mark(parts, style) for style in marks.STYLES if not setting.lacks(style.format(1))
    ]
    cuts = pieces(parts)
    found = yield [*(marked.text for marked in tries), *cuts]
    for marked, translation in zip(tries, found, strict=False):
        again = _answer(translation, marked, with_numbers, setting)
        if again.whole and not again.lost:
            return again, False
    pasted = joined(parts, found[len(tries) :])
    if prepared.shouted:
        pasted = [part if isinstance(part, Item) else part.upper() for part in pasted]
    prose = _prose(pasted)
    text = "".join(part.text if isinstance(part, Item) else part for part in pasted)
    return _Answer(text, prose, _lost(with_numbers.prose, prose, setting)), True


def _with_numbers(
    parts: Sequence[Part], lost: Sequence[numbers.Number], setting: Setting
) -> list[Part]:
    """Return the parts with the lost numbers as items, as the target language writes them."""
    values = Counter(number.value for number in lost)
    found: list[Part] = [""]
    for part in parts:
        if isinstance(part, Item):
            items.join(found, str(found[-1]), part)
            continue
        end = 0
        for number in numbers.numbers(part, setting.source):
            if not values[number.value]:
                continue
            values[number.value] -= 1
            digits = numbers.localised(
                part[number.start : number.stop], setting.source, setting.target
            )
            items.join(found, f"{found[-1]}{part[end : number.start]}", Item(digits, "number"))
            end = number.stop
        found[-1] = f"{found[-1]}{part[end:]}"
    return found


def _warnings(
    answer: _Answer, cut: bool, marked: marks.Marked, prepared: _Prepared, setting: Setting
) -> Generator[AnswerWarning, None, None]:
    if prepared.foreign:
        yield doubts.passed_through(prepared.foreign)
    gone = [mark.item.text for mark in marked.marks if mark.item.text not in answer.text]
    if gone and not answer.whole:
        yield doubts.item_lost(gone)
    if answer.lost:
        yield doubts.number_changed(prepared.prose[n.start : n.stop] for n in answer.lost)
    if cut:
        yield doubts.IN_PARTS
    if doubts.loses_negation(prepared.prose, setting.source, answer.prose, setting.target):
        yield doubts.NEGATION_LOST
    if not marked.marks and doubts.is_copy(marked.text, answer.text):
        yield doubts.UNTRANSLATED
