"""Cuts texts into sentences for the models, and puts them together again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import sentencex

from models.text.items import Span

# About 128 tokens, at which Bergamot wraps sentences (its `max-length-break`), of 4 letters each.
MAX_SENTENCE_CHARS = 500

_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")  # the line breaks of str.splitlines
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_REPLACEMENT = "\ufffd"
_MASK = "X"
# Where an over-long sentence may be cut: behind punctuation and before a space, or behind that
# of scripts which set none.
_CLAUSE_END = re.compile(r"[,;:.!?…)\]–—،؛؟](?=\s)|[、，；：。！？]")
_SPACE, _NO_SPACE = re.compile(r"\s"), re.compile(r"\S")
_UNSPACED = frozenset({"ja", "yue", "zh"})  # languages without spaces between sentences


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text as ``gaps[0] + sentences[0] + gaps[1] + ... + sentences[-1] + gaps[-1]``.

    Sentences have no space around them and hold at least one letter or digit; spaces, line
    breaks, bare punctuation and blocks of code are in the gaps, of which there is one more than
    of sentences.
    """

    language: str
    sentences: tuple[str, ...]
    gaps: tuple[str, ...]

    def join(self, sentences: Sequence[str], language: str | None = None) -> str:
        """Return the text with other sentences, such as translations, in place of its own.

        Args:
            sentences: as many as there are, in their order.
            language: theirs, where it is not the text's; between a language that sets spaces
                between sentences and one that does not, single gaps are adapted.

        Raises:
            ValueError: their number differs.
        """
        parts = [self.gaps[0]]
        last = len(self.sentences) - 1
        for i, (sentence, gap) in enumerate(zip(sentences, self.gaps[1:], strict=True)):
            parts += [sentence, gap if i == last else self._adapted(gap, language)]
        return "".join(parts)

    def _adapted(self, gap: str, language: str | None) -> str:
        unspaced = _is_unspaced(self.language)
        if language is None or _is_unspaced(language) == unspaced:
            return gap
        source_gap, target_gap = ("", " ") if unspaced else (" ", "")
        return target_gap if gap == source_gap else gap


def split(
    text: str,
    language: str,
    max_chars: int = MAX_SENTENCE_CHARS,
    whole: Iterable[Span] = (),
) -> Pieces:
    """Cut a text into sentences of at most ``max_chars`` characters.

    A line break always ends a sentence, so lists and paragraphs are kept. A longer sentence is cut
    behind the last punctuation of its first ``max_chars`` characters (of their second half, so that
    no piece is tiny), else at the last space, else anywhere. The time is linear in the length of
    the text.

    Args:
        text: any text.
        language: ISO 639-1; languages that sentencex does not know follow English.
        max_chars: at least 1.
        whole: parts that are not cut, in order, such as an address. A part with lines of its own,
            such as a block of code, or one too long for a sentence, goes into a gap.
    """
    if max_chars < 1:
        raise ValueError(f"max_chars is {max_chars}, expected at least 1")
    sentences, gaps, end = [], [], 0
    for start, stop in _spans(text, language, max_chars, list(whole)):
        gaps.append(text[end:start])
        sentences.append(text[start:stop])
        end = stop
    return Pieces(language, tuple(sentences), (*gaps, text[end:]))


def _spans(
    text: str, language: str, max_chars: int, whole: Sequence[Span]
) -> Iterator[tuple[int, int]]:
    """Yield where sentences start and stop, in order."""
    readable = _LONE_SURROGATE.sub(_REPLACEMENT, text)  # of the same length; sentencex is strict
    if whole:
        readable = _masked(readable, max_chars, whole)
    for line in _LINE.finditer(readable):
        start = line.start()
        for segment in sentencex.segment(language, line[0]):  # with the space behind it
            stop = start + len(segment)
            for piece_start, piece_stop in _cut(readable, start, stop, max_chars, whole):
                if any(map(str.isalnum, text[piece_start:piece_stop])):
                    yield piece_start, piece_stop
            start = stop


def _masked(text: str, max_chars: int, whole: Iterable[Span]) -> str:
    """Return a text of the same length in which no sentence ends within ``whole`` parts."""
    masked, end = "", 0
    for span in whole:
        kept, size = text[span.start : span.stop], span.stop - span.start
        if size > max_chars or "\n" in kept:
            mask = "\n" * size
        else:  # its first character may start a sentence
            mask = (kept[0] if kept[0].islower() else _MASK) + _MASK * (size - 1)
        masked, end = f"{masked}{text[end : span.start]}{mask}", span.stop
    return masked + text[end:]


def _cut(
    text: str, start: int, stop: int, max_chars: int, whole: Sequence[Span]
) -> Iterator[tuple[int, int]]:
    """Yield pieces of ``text[start:stop]`` without the space around them, none too long."""
    start, stop = _strip(text, start, stop)
    while stop - start > max_chars:
        cut = _last_cut(text, start, max_chars)
        for span in whole:
            if span.start < cut < span.stop:
                cut = span.start if span.start > start else span.stop
        yield _strip(text, start, cut)
        following = _NO_SPACE.search(text, cut, stop)
        start = following.start() if following else stop
    if start < stop:
        yield start, stop


def _last_cut(text: str, start: int, max_chars: int) -> int:
    """Return the best place to cut in ``start < place <= start + max_chars``."""
    limit = start + max_chars
    # Lookahead sees one character behind the limit: punctuation may stand right before it.
    clause_ends = [m.end() for m in _CLAUSE_END.finditer(text, start + max_chars // 2, limit + 1)]
    if usable := [end for end in clause_ends if end <= limit]:
        return usable[-1]
    spaces = [m.start() for m in _SPACE.finditer(text, start + 1, limit + 1)]
    return spaces[-1] if spaces else limit


def _strip(text: str, start: int, stop: int) -> tuple[int, int]:
    """Return the span without the space at its ends; an empty span where it is all space."""
    piece = text[start:stop]
    leading = len(piece) - len(piece.lstrip())
    return start + leading, max(start + leading, start + len(piece.rstrip()))


def _is_unspaced(language: str) -> bool:
    return language.split("-")[0].lower() in _UNSPACED
