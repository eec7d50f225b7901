"""The words and formats of one language that the shared rules need."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from re import Match

Replacement = str | Callable[[Match[str]], str]
Rule = tuple[re.Pattern[str], Replacement]


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun that numbers count."""

    one: str
    many: str
    feminine: bool = False


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency. ``hundredth``: its coin."""

    whole: Noun
    hundredth: Noun | None = None


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words and number formats of one language."""

    group: str  # between digits by the thousand
    point: str  # before decimals
    # How a number is read before a noun; None: as the engine reads digits.
    gendered: Callable[[int], str] | None
    one_below_two: bool  # 1.5 takes the singular

    conjunction: str  # "and"
    to: str  # in ranges
    at: str
    dot: str
    slash: str
    dash: str
    underscore: str
    port: str
    minus: str
    number_sign: str
    percent: str
    of_millions: str  # between a round million and a currency; empty: nothing
    per: str  # "/" before a unit
    over: str  # "/" between numbers that are no known fraction
    magnitudes: Mapping[str, Noun]  # as written between an amount and its currency -> as read
    digits: tuple[str, ...]  # 0 to 9
    symbols: Mapping[str, str]  # between spaces or numbers -> as read
    currencies: Mapping[str, Currency]  # by sign or code
    units: Mapping[str, Noun]
    fractions: Mapping[str, str]  # "1/2" -> as read alone
    fraction_joint: str  # between a whole and a fraction, "and"


def rule(pattern: str, replacement: Replacement, *, any_case: bool = False) -> Rule:
    return re.compile(pattern, re.IGNORECASE if any_case else 0), replacement


def applied(rules: tuple[Rule, ...], text: str) -> str:
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return text
