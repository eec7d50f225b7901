"""Detects texts that Whisper wrote twice, as it does where speech fills its window."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

LIKENESS = 0.8  # from this on, two parts count as one text written twice: a word may differ
LEAST_LETTERS = 8  # shorter texts, such as "no, no", are not judged
MOST_LETTERS = 2_000  # longer texts are not judged: the comparison takes quadratic time
MOST_TIMES = 3


def is_said_twice(text: str) -> bool:
    """Tell whether a text is two or three times nearly the same.

    A speaker may repeat himself, too. The caller decodes such audio again in a larger window, where
    Whisper repeats nothing and keeps what was said.
    """
    letters = _letters(text)
    if not LEAST_LETTERS <= len(letters) <= MOST_LETTERS:
        return False
    return any(_in_equal_parts(letters, times) for times in range(2, MOST_TIMES + 1))


def repeats_the_end(before: str, text: str) -> bool:
    """Tell whether a text repeats the end of the text before it."""
    said, again = _letters(before)[-MOST_LETTERS:], _letters(text)[:MOST_LETTERS]
    return bool(again) and len(said) >= len(again) and _alike(said[-len(again) :], again)


def _in_equal_parts(letters: str, times: int) -> bool:
    """Tell whether each part is like the one before it; their lengths may differ a little."""
    part = len(letters) / times
    slack = max(1, round(part * (1 - LIKENESS) / 2))
    cuts = [round(part * number) for number in range(times + 1)]
    for shift in range(-slack, slack + 1):
        moved = [cuts[0], *(cut + shift for cut in cuts[1:-1]), cuts[-1]]
        parts = [letters[start:end] for start, end in pairwise(moved)]
        if all(_alike(a, b) for a, b in pairwise(parts)):
            return True
    return False


def _alike(first: Sequence[str], second: Sequence[str]) -> bool:
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    return matcher.quick_ratio() >= LIKENESS and matcher.ratio() >= LIKENESS


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
