"""Text in capitals: it is translated in small letters, and its translation put in capitals."""

from __future__ import annotations

import re

_LETTERS = re.compile(r"[^\W\d_]+")
_SENTENCE_START = re.compile(r"(?:^\W*|[.!?…]\s+\W*)([^\W\d_])")
_FIRST_PERSON = re.compile(r"\bi\b(?!\.)")  # of English
# Words in capitals in a row, in a text that is not all capitals. A single one is an acronym, or
# emphasis that the models understand.
_RUN = re.compile(r"(?<![\w-])[^\W\d_a-z]{2,}(?:[ ,'’-]{1,2}[^\W\d_a-z]+)+(?![\w-])")
_ACRONYM = re.compile(r"\b[A-Z]{3,}\b")
_MIN_RUN_WORDS, _MIN_WORD_LETTERS = 3, 5  # fewer, shorter words in a row are acronyms
_MAX_ACRONYM_LETTERS = 3


def is_shouted(prose: str) -> bool:
    """Tell whether all letters of a text are capitals, and it is more than an acronym or two."""
    words = _LETTERS.findall(prose)
    longest = max(map(len, words), default=0)
    return prose.isupper() and (len(words) > 2 or longest > _MAX_ACRONYM_LETTERS)


def said(prose: str, language: str, *, starts: bool = True) -> str:
    """Return a text in capitals in small letters, with a capital where a sentence starts."""
    quiet = prose.lower()
    if starts:
        quiet = _SENTENCE_START.sub(lambda match: match[0][:-1] + match[1].upper(), quiet)
    return _FIRST_PERSON.sub("I", quiet) if language == "en" else quiet


def quietened(prose: str, language: str, *, starts: bool = True) -> tuple[str, list[str]]:
    """Lower several words in a row in capitals, in a text that is not all capitals.

    The second value holds the lowered passages, in order.
    """
    quiet: list[str] = []

    def say(match: re.Match[str]) -> str:
        if not _is_run(match[0]):
            return match[0]
        quiet.append(said(match[0], language, starts=starts and match.start() == 0))
        return quiet[-1]

    return _RUN.sub(say, prose), quiet


def with_acronyms(answer: str, source: str) -> str:
    """Put the answer's words that are acronyms in the source in their capitals."""
    for acronym in set(_ACRONYM.findall(source)):
        if acronym not in answer and not source.isupper():
            answer = re.sub(rf"\b{acronym}\b", acronym, answer, count=1, flags=re.IGNORECASE)
    return answer


def _is_run(text: str) -> bool:
    words = _LETTERS.findall(text)
    longest = max(map(len, words))
    return text.isupper() and (len(words) >= _MIN_RUN_WORDS or longest >= _MIN_WORD_LETTERS)


def shout(answer: str, quiet: str) -> str:
    """Put the translation of a lowered passage in capitals, if the answer holds it."""
    words = quiet.strip().rstrip(".!?,;:")
    if not words:
        return answer
    found = list(re.finditer(rf"(?<!\w){re.escape(words)}(?!\w)", answer, re.IGNORECASE))
    if len(found) != 1:
        return answer
    return answer[: found[0].start()] + found[0][0].upper() + answer[found[0].end() :]
