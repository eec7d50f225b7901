"""Texts of a word or two, to which models that learnt sentences add words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

MAX_WORDS = 2
_DISGUISES = ("{}.", "{}!", "{}:", "{}?", '"{}"')
_WORD = re.compile(r"\w+(?:['’.-]\w+)*")
_AROUND = " .!?,:;\"'“”()-…"


def is_short(prose: str) -> bool:
    return 0 < len(_WORD.findall(prose)) <= MAX_WORDS


def is_doubtful(source: str, answer: str) -> bool:
    """Tell whether an answer is too long, repeats itself, adds a sign or translates nothing."""
    return not _is_sound(source, answer) or _same(source, answer)


def variants(source: str) -> list[str]:
    """Return other spellings of a short text, whose answers ``choose`` compares."""
    core = _core(source)
    forms = [core, core.lower(), core[:1].upper() + core[1:].lower()]
    found = [disguise.format(core) for disguise in _DISGUISES]
    found += [forms[1], f"{forms[1]}.", forms[2]]
    return [form for form in dict.fromkeys(found) if form != source]


def choose(source: str, answer: str, others: Sequence[str]) -> str:
    """Return the shortest sound answer, of several the most frequent; else the first answer."""
    votes = Counter(
        core.casefold()
        for each in (answer, *others)
        if (core := _core(each)) and _is_sound(source, each)
    )
    echo = _core(source).casefold()
    needed = 2 if _same(source, answer) else 1  # against an echo one other answer proves little
    sound = [core for core in votes if core != echo and votes[core] >= needed]
    if not sound:
        return answer
    best = min(sound, key=lambda core: (len(_WORD.findall(core)), -votes[core]))
    spelt = next(core for each in (answer, *others) if (core := _core(each)).casefold() == best)
    return fitted(source, spelt)


def fitted(source: str, answer: str) -> str:
    """Return an answer with the punctuation and the capital of its source."""
    core, found = _core(source), _core(answer)
    if core[:1].isupper():
        found = found[:1].upper() + found[1:]
    before, _, after = source.partition(core)
    return f"{before}{found}{after}"


def _is_sound(source: str, answer: str) -> bool:
    words = [word.casefold() for word in _WORD.findall(answer)]
    wanted = len(_WORD.findall(source))
    signs = set(re.findall(r"[^\w\s]", answer)) - set(re.findall(r"[^\w\s]", source)) - set(
        _AROUND
    ) | (set("()") & (set(answer) - set(source)))
    return 0 < len(words) <= wanted + 1 and len(set(words)) == len(words) and not signs


def _same(source: str, answer: str) -> bool:
    return _core(source).casefold() == _core(answer).casefold()


def _core(text: str) -> str:
    return text.strip(_AROUND)
