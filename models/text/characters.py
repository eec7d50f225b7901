"""Replaces typographic characters by the plain ones that vocabularies hold, and restores them."""

from __future__ import annotations

import re

_QUOTES, _SINGLE, _DASHES = "“”„‟«»", "‘’‚‛‹›", "–—―−"
_PLAIN = str.maketrans(
    {
        **dict.fromkeys(_QUOTES, '"'),
        **dict.fromkeys(_SINGLE, "'"),
        **dict.fromkeys("‐‑‒–—―", "-"),
        "…": "...",
        **dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009", " "),
        **dict.fromkeys("\u200a\u202f\u205f\u3000", " "),
        **dict.fromkeys("\u00ad\u200b\u2060\ufeff\u200e\u200f\u202a\u202b\u202c\u202d\u202e"),
        **dict.fromkeys("\u2066\u2067\u2068\u2069"),
        "ﬁ": "fi",
        "ﬂ": "fl",
    }
)
_TYPOGRAPHIC = re.compile(
    "[‐-―‘-‟…«»‹›\u00a0\u00ad\u2000-\u200b\u200e\u200f\u202a-\u202f\u205f-\u2069\u3000\ufeffﬁﬂ]"
)
_GLUED_DASH = re.compile(r"(?<=\w)[—―](?=\w)")
_SPACED = re.compile(r"(?<=\s)[–—―](?=\s)|^[–—―](?=\s)")
_PLAIN_SPACED = re.compile(r"(?<=\s)-(?=\s)|^-(?=\s)")
_QUOTE = re.compile(f"[{_QUOTES}]")
_ELLIPSIS = re.compile("…")


def plain(prose: str) -> str:
    """Return the text in plain characters; a dash between two words gets spaces."""
    if not _TYPOGRAPHIC.search(prose):
        return prose
    return _GLUED_DASH.sub(" - ", prose).translate(_PLAIN)


def restore(answer: str, source: str) -> str:
    """Give an answer its source's quotation marks, dashes and ellipses, if it has as many."""
    if not _TYPOGRAPHIC.search(source):
        return answer
    if '"' not in source:
        answer = _restored(answer, '"', _QUOTE.findall(source))
    if not _PLAIN_SPACED.search(source):
        answer = _restored(answer, _PLAIN_SPACED, _SPACED.findall(source))
    if "..." not in source:
        answer = _restored(answer, "...", _ELLIPSIS.findall(source))
    return answer


def _restored(answer: str, plain_form: str | re.Pattern[str], originals: list[str]) -> str:
    pattern = (
        plain_form if isinstance(plain_form, re.Pattern) else re.compile(re.escape(plain_form))
    )
    if not originals or len(pattern.findall(answer)) != len(originals):
        return answer
    left = iter(originals)
    return pattern.sub(lambda _: next(left), answer)
