"""Says numbers with their signs: money, units, ranges, fractions, telephones.

The digits themselves stay digits, which the engines read, except where they would misread them.
"""

from __future__ import annotations

import re
from re import Match

from models.tts.normalisation.vocabulary import Currency, Noun, Rule, Vocabulary, rule

_FRACTION_SIGNS = {
    **{"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5"},
    **{"⅗": "3/5", "⅘": "4/5", "⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8"},
    "⅞": "7/8",
}
_MILLION = 1_000_000
_DASH = r"\s?[-–—]\s?"  # of a range


class Quantities:
    """Rules that are the same in all languages but for a language's words and formats."""

    def __init__(self, words: Vocabulary) -> None:
        self._words = words
        group, point = re.escape(words.group), re.escape(words.point)
        self._number = rf"(?:\d{{1,3}}(?:{group}\d{{3}})+|\d+)(?:{point}\d+)?(?![\d]|{point}\d)"

    def rules(self) -> tuple[Rule, ...]:
        return (
            *self._money(),
            *self._fractions(),
            *self._ranges(),
            *self._units(),
            *self._signs(),
        )

    # ---- telephones ------------------------------------------------------------------

    def telephones(self, pattern: str) -> Rule:
        """Say telephone numbers digit by digit, with a pause where there was a mark."""

        def said(match: Match[str]) -> str:
            groups = re.findall(r"\d+", match[0])
            plus = f"{self._words.symbols['+']} " if match[0].startswith("+") else ""
            return plus + ", ".join(map(self.spelt, groups))

        return rule(pattern, said)

    def spelt(self, digits: str) -> str:
        return " ".join(self._words.digits[int(digit)] for digit in digits)

    # ---- what is counted -------------------------------------------------------------

    def counted(self, number: str, noun: Noun) -> str:
        """Say an amount, such as ``35 pounds``."""
        plain = self.plain(number)
        is_one = self._value(plain) == 1
        if self._words.one_below_two:
            is_one = 0 < self._value(plain) < 2
        return f"{self._read(plain, noun)} {noun.one if is_one else noun.many}"

    def plain(self, number: str) -> str:
        """Return a number without the marks that group its digits."""
        return number.replace(self._words.group, "")

    def _value(self, plain: str) -> float:
        return float(plain.replace(self._words.point, "."))

    def _read(self, plain: str, noun: Noun) -> str:
        if noun.feminine and self._words.gendered and plain.isdecimal() and len(plain) < 13:
            return self._words.gendered(int(plain))
        return plain

    # ---- money -----------------------------------------------------------------------

    def _money(self) -> tuple[Rule, ...]:
        words = self._words
        sign = "|".join(map(re.escape, sorted(words.currencies, key=len, reverse=True)))
        magnitude = "|".join(map(re.escape, sorted(words.magnitudes, key=len, reverse=True)))
        amount = rf"({self._number})(?:{_DASH}({self._number}))?(?:\s?({magnitude})\b)?"
        before = rf"(?<![\w$])(-|−)?({sign})\s?(-|−)?{amount}"
        behind = rf"(?<![\w.,/-])(-|−)?{amount}\s?({sign})(?!\w)"
        return (
            rule(before, lambda m: self._said_money(m[2], m[4], m[5], m[6], m[1] or m[3])),
            rule(behind, lambda m: self._said_money(m[5], m[2], m[3], m[4], m[1])),
        )

    def _said_money(
        self, sign: str, amount: str, upto: str | None, magnitude: str | None, minus: str | None
    ) -> str:
        words, currency = self._words, self._words.currencies[sign]
        start = f"{words.minus} " if minus else ""
        if upto is not None:
            start += f"{self.plain(amount)} {words.to} "
            amount = upto
        if magnitude is not None:
            return (
                f"{start}{self.counted(amount, words.magnitudes[magnitude])} {currency.whole.many}"
            )
        return start + self._whole_and_hundredths(amount, currency)

    def _whole_and_hundredths(self, amount: str, currency: Currency) -> str:
        whole, _, decimals = self.plain(amount).partition(self._words.point)
        if not decimals:
            return self._whole(whole, currency.whole)
        if currency.hundredth is None or len(decimals) != 2:
            return self.counted(amount, currency.whole)
        coins = self.counted(str(int(decimals)), currency.hundredth)
        if not int(decimals):
            return self._whole(whole, currency.whole)
        if not int(whole):
            return coins
        return f"{self._whole(whole, currency.whole)} {self._words.conjunction} {coins}"

    def _whole(self, amount: str, noun: Noun) -> str:
        """Say an amount as ``counted`` does; a round million takes its own word before the
        currency.
        """
        is_round = amount.isdecimal() and int(amount) >= _MILLION and not int(amount) % _MILLION
        if is_round and self._words.of_millions:
            return f"{amount} {self._words.of_millions} {noun.many}"
        return self.counted(amount, noun)

    # ---- fractions and ranges --------------------------------------------------------

    def _fractions(self) -> tuple[Rule, ...]:
        words = self._words
        fraction = "|".join(map(re.escape, words.fractions))

        def said(match: Match[str]) -> str:
            read = words.fractions[match[2]]
            return f"{match[1]} {words.fraction_joint} {read}" if match[1] else read

        return (
            rule(
                f"(\\d?)\\s?([{''.join(_FRACTION_SIGNS)}])",
                lambda m: f"{m[1]}{' ' if m[1] else ''}{_FRACTION_SIGNS[m[2]]}",
            ),
            rule(rf"(?<![\w./,-])(?:(\d+)\s)?({fraction})(?![\w/-]|[.,]\d)", said),
            rule(r"(?<![\w./,-])(\d+)/(\d+)(?![\w/-]|[.,]\d)", rf"\1 {words.over} \2"),
        )

    def _ranges(self) -> tuple[Rule, ...]:
        number = self._number
        return (
            rule(rf"(?<=%){_DASH}(?=\d)", f" {self._words.to} "),
            rule(
                rf"(?<![\w.,/:-])(?<![-–—] )({number}){_DASH}({number})(?!\s?[-–—/]\s?\d)",
                lambda m: f"{m[1]} {self._words.to} {m[2]}",
            ),
        )

    # ---- units -----------------------------------------------------------------------

    def _units(self) -> tuple[Rule, ...]:
        words = self._words
        unit = "|".join(map(re.escape, sorted(words.units, key=len, reverse=True)))
        return (
            rule(rf"(?<=[^\W\d_])/({unit})(?![\w²³])", self._per),
            rule(
                rf"(?<![\w.,/])({self._number})\s?({unit})(?![\w/²³])",
                lambda m: self.counted(m[1], words.units[m[2]]),
            ),
            rule(
                rf"(?<![\w.,])({self._number})\s?%", lambda m: f"{self.plain(m[1])} {words.percent}"
            ),
            rule(r"%", f" {words.percent} "),
        )

    def _per(self, match: Match[str]) -> str:
        """Say a price for a unit, such as ``per kilo``; a unit with a slash, as km/h, does not
        match.
        """
        return f" {self._words.per} {self._words.units[match[1]].one}"

    # ---- signs -----------------------------------------------------------------------

    def _signs(self) -> tuple[Rule, ...]:
        words = self._words

        def said(match: Match[str]) -> str:
            return f" {words.symbols[match[0].strip()]} "

        symbols = "".join(map(re.escape, words.symbols))
        grouped = re.escape(words.group)
        return (
            rule(r"(?<![\w)\]}])[-−](?=\d)", f"{words.minus} "),
            rule(r"−", f" {words.minus} "),
            rule(r"(?<![\w)\]}])\+(?=\d)", f"{words.symbols['+']} "),
            rule(r"(?<=\d) ?[xX] ?(?=\d)", f" {words.symbols['×']} "),
            rule(rf"(?<=[\s\d)])\s*([{symbols}])\s*(?=[\s\d(])|(?<=\w)([<>=])(?=\w)", said),
            rule(r"([&≥≤≠≈±×÷])", said),
            rule(r"\s*[→⇒]\s*|(?<=[^\W\d_])/(?=[^\W\d_])", ", "),
            rule(
                rf"(?<![\w.,])\d{{1,3}}(?:{grouped}\d{{3}})+(?![\w]|[{grouped}]\d)",
                lambda m: self.plain(m[0]),
            ),
        )
