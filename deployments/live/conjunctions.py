"""List words that begin a clause, by language: a long clause is best cut before one."""

from __future__ import annotations

from collections.abc import Mapping

_WORDS = {
    "de": "und aber oder denn sondern weil dass wenn ob obwohl während bevor nachdem damit sodass "
    "als der die das welche welcher welches wo",
    "en": "and but or so because that which who whose when where while if although though since "
    "until unless before after then however as than whether",
    "es": "y e pero o u porque que cuando donde mientras si aunque pues sino entonces como para "
    "quien cual",
    "fr": "et mais ou car donc parce que qui dont où quand lorsque si quoique bien alors comme "
    "puisque pour afin",
    "it": "e ed ma o od perché che quando dove mentre se anche benché quindi allora come poi "
    "dunque affinché",
    "pt": "e mas ou porque que quando onde enquanto se embora pois então como para quem cujo "
    "portanto porém contudo",
    "ru": "и а но или что чтобы потому когда где пока если хотя так как который которая которое "
    "которые зато поэтому",
}
CONJUNCTIONS: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split()) for language, words in _WORDS.items()
}
