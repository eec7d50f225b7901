"""Decide which words of a text that still grows are sure: local agreement of two updates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.types import Word


@dataclass(frozen=True, slots=True)
class Heard:
    """A word, or the rest of one, with its spaces; times are seconds of the session."""

    text: str
    start_s: float
    end_s: float


def behind(prefix: str, words: Sequence[Word], offset_s: float) -> list[Heard]:
    """Return what of these words comes behind a prefix, whose own words come first.

    A mark that Whisper joins to the prefix's last word is a rest by itself.

    Args:
        words: with times from the start of their audio.
        offset_s: where that audio starts in the session.
    """
    found, at = [], 0
    for word in words:
        rest = word.text[max(0, len(prefix) - at) :]
        at += len(word.text)
        if rest:
            found.append(Heard(rest, offset_s + word.start_s, offset_s + word.end_s))
    return found


def text_of(words: Sequence[Heard]) -> str:
    return "".join(word.text for word in words)


def agreed(before: Sequence[Heard], now: Sequence[Heard], until_s: float) -> int:
    """Count the words, from the first on, in which two updates agree, and which are not too new.

    They are compared without case and marks.

    Args:
        until_s: where the audio begins whose words may still change.
    """
    count = 0
    for old, new in zip(before, now, strict=False):
        if _letters(old.text) != _letters(new.text) or new.end_s > until_s:
            break
        count += 1
    return count


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
