"""Finds numbers in prose, those that a translation lost, and how a language writes them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

# Languages that write 1.234,5 (or 1 234,5) for one thousand two hundred and thirty-four and a half.
_COMMA_LANGUAGES = frozenset(
    [
        *("af", "az", "be", "bg", "bs", "ca", "cs", "da", "de", "el", "es", "et", "fi", "fr", "gl"),
        *("hr", "hu", "hy", "id", "is", "it", "ka", "kk", "lt", "lv", "mk", "nl", "no", "pl", "pt"),
        *("ro", "ru", "sk", "sl", "sq", "sr", "sv", "tr", "uk", "vi"),
    ]
)
# A number by itself: no part of a word, of a list of numbers or of another notation.
_NUMBER = re.compile(r"(?<![\w.,/:-])\d+(?:[.,]\d+|[\u00a0\u202f]\d{3}(?!\d))*(?![\w/]|[.,:-]\d)")
_HOURS = 12
_CLOCK = re.compile(r"\s?(?:[ap]\.?\s?m\b|o'clock|horas?\b|h\b)|\s?:\d\d", re.IGNORECASE)
_CLOCK_BEFORE = re.compile(r"(?:\bat|\bàs|\bas|\bà|\bao)\s$", re.IGNORECASE)

_WORDS = {
    "en": (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen",
        "twenty thirty forty fifty sixty seventy eighty ninety",
        {"a hundred": 100, "one hundred": 100, "a thousand": 1000, "one thousand": 1000}
        | {"once": 1, "twice": 2, "both": 2, "noon": 12, "midnight": 12, "single": 1},
        r"[ -]",
    ),
    "pt": (
        "zero um dois três quatro cinco seis sete oito nove dez onze doze treze catorze quinze "
        "dezesseis dezessete dezoito dezenove",
        "vinte trinta quarenta cinquenta sessenta setenta oitenta noventa",
        {"uma": 1, "duas": 2, "quatorze": 14, "dezasseis": 16, "dezassete": 17, "dezanove": 19}
        | {"cem": 100, "mil": 1000, "ambos": 2, "ambas": 2, "meio-dia": 12, "meia-noite": 12},
        r" e ",
    ),
}


Value: TypeAlias = Decimal | str  # str: digits that are no number, as they are written


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a text, which stands at ``text[start:stop]``."""

    value: Value
    start: int
    stop: int
    clock: bool  # whether it may be an hour, of twelve in one language and of 24 in the other


def numbers(text: str, language: str) -> Iterator[Number]:
    """Return the numbers in digits, read as the language writes them."""
    for match in _NUMBER.finditer(text):
        clock = bool(_CLOCK.match(text, match.end()) or _CLOCK_BEFORE.search(text[: match.start()]))
        yield Number(_value(match[0], language), match.start(), match.end(), clock)


def missing(source: str, source_language: str, answer: str, target_language: str) -> list[Number]:
    """Return the numbers of a source whose value its translation lacks, in digits and in words."""
    wanted = list(numbers(source, source_language))
    if not wanted:
        return []
    digits = Counter(number.value for number in numbers(answer, target_language))
    words = _in_words(answer, target_language)
    return [number for number in wanted if not _take(number, digits, words)]


def localised(text: str, source_language: str, target_language: str) -> str:
    """Return the text with its numbers as the target language writes them."""
    if (source_language in _COMMA_LANGUAGES) == (target_language in _COMMA_LANGUAGES):
        return text
    return _NUMBER.sub(lambda match: match[0].translate(_SWAPPED), text)


_SWAPPED = str.maketrans(",.", ".,")


def _take(number: Number, *found: Counter[Value]) -> bool:
    """Tell whether one of the values found is the number's, and use it up."""
    values = [number.value]
    if number.clock and isinstance(number.value, Decimal):
        values += [number.value - _HOURS, number.value + _HOURS]
    for counter in found:
        for value in values:
            if counter[value] > 0:
                counter[value] -= 1
                return True
    return False


def _value(text: str, language: str) -> Value:
    """Return the value of digits with separators; if no language writes them so, the digits.

    Of two kinds of separators the last is the decimal one. A single separator before three digits
    means what it does in the language; any other is a decimal one.
    """
    text = re.sub(r"[\u00a0\u202f]", "", text)
    separators = re.findall(r"[.,]", text)
    if not separators:
        return Decimal(text)
    last = separators[-1]
    groups = text.split(last)
    if len(set(separators)) == 2:
        whole = groups[0].split("," if last == "." else ".")
        return _decimal(whole, groups[1]) if len(groups) == 2 and _are_groups(whole) else text
    decimal = "," if language in _COMMA_LANGUAGES else "."
    if len(groups) == 2 and (last == decimal or not _are_groups(groups)):
        return _decimal(groups[:1], groups[1])
    return _decimal(groups) if _are_groups(groups) else text


def _decimal(groups: list[str], fraction: str = "0") -> Decimal:
    return Decimal(f"{''.join(groups)}.{fraction}")


def _are_groups(groups: list[str]) -> bool:
    """Tell whether the groups are the thousands of a number."""
    first, *others = groups
    return first != "0" and len(first) <= 3 and all(len(group) == 3 for group in others)


def _in_words(text: str, language: str) -> Counter[Value]:
    """Return the numbers that words give: those below a hundred, and few more."""
    pattern = _WORD_PATTERNS.get(language)
    if pattern is None:
        return Counter()
    values = _WORD_VALUES[language]
    separator = re.compile(_WORDS[language][3])
    return Counter(
        Decimal(values.get(word) or sum(values[part] for part in separator.split(word)))
        for word in map(str.lower, pattern.findall(text))
    )


def _values(language: str) -> dict[str, int]:
    units, tens, others, _ = _WORDS[language]
    return {
        **{word: value for value, word in enumerate(units.split())},
        **{word: 10 * (2 + place) for place, word in enumerate(tens.split())},
        **others,
    }


def _pattern(language: str) -> re.Pattern[str]:
    units, tens, others, separator = _WORDS[language]
    unit = "|".join([*units.split()[1:10], *(w for w in others if " " not in w and "-" not in w)])
    ten = "|".join(tens.split())
    simple = "|".join(sorted(_values(language), key=len, reverse=True))
    return re.compile(rf"\b(?:(?:{ten}){separator}(?:{unit})|{simple})\b", re.IGNORECASE)


_WORD_VALUES = {language: _values(language) for language in _WORDS}
_WORD_PATTERNS = {language: _pattern(language) for language in _WORDS}
