"""Makes the plural of a term where it is regular; the plural of any other is not known here."""

from __future__ import annotations

import re

# Of each language: the end of a word, and what the plural has in its place. The first that fits
# counts; None: words that end so have plurals of several kinds.
_RULES: dict[str, tuple[tuple[str, str | None], ...]] = {
    "en": (
        (r"(s|x|z|ch|sh)$", r"\1es"),
        (r"([^aeiou\W\d])y$", r"\1ies"),
        (r"([^\W\d_])$", r"\1s"),
    ),
    "pt": (
        (r"([çs])ão$", r"\1ões"),
        (r"ão$|[sxn]$|il$", None),
        (r"([rz])$", r"\1es"),
        (r"m$", "ns"),
        (r"([au])l$", r"\1is"),
        (r"el$", "éis"),
        (r"ol$", "óis"),
        (r"([^\W\d_])$", r"\1s"),
    ),
    "es": (
        (r"ión$", "iones"),
        (r"[áéíóúsx]n?$|z$", None),
        (r"([aeo])$", r"\1s"),
        (r"([dlnry])$", r"\1es"),
    ),
    "fr": ((r"[sxz]$|al$|ail$|ou$", None), (r"(eau|au|eu)$", r"\1x"), (r"([^\W\d_])$", r"\1s")),
}
_PATTERNS = {
    language: tuple((re.compile(end, re.IGNORECASE), plural) for end, plural in rules)
    for language, rules in _RULES.items()
}
_HEAD_LAST = frozenset({"en"})  # languages whose terms of several words have their noun at the end
_PHRASE = re.compile(r"\b(?:of|for|in|at|to|and|or|de|da|do)\b", re.IGNORECASE)


def plural(term: str, language: str) -> str | None:
    """Return the plural of a term; None: it is irregular, or nothing is known of it."""
    if " " in term and (language not in _HEAD_LAST or _PHRASE.search(term)):
        return None
    for pattern, ending in _PATTERNS.get(language, ()):
        if pattern.search(term):
            return None if ending is None else pattern.sub(ending, term)
    return None
