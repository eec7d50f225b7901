"""Times at which the characters of a phrase were spoken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from models.audio.subtitles.types import Phrase
from models.types import SpeechSpan, Word

# With more pairs of characters an exact comparison takes too long.
MAX_COMPARED = 2_000_000


def character_times(phrase: Phrase, letters: str) -> list[SpeechSpan]:
    """Return the time of each of the ``letters``, the phrase's text without white space.

    Letters that the words hold, too, have the words' times. The others are spread evenly between
    those. All times lie within the phrase and in order.
    """
    times: list[SpeechSpan | None] = [None] * len(letters)
    for position, span in _heard(phrase.words or (), letters):
        if span.start_s < phrase.end_s and span.end_s > phrase.start_s:
            times[position] = span
    return list(_in_order(phrase, _filled(times, phrase.start_s, phrase.end_s)))


def _heard(words: Sequence[Word], letters: str) -> Iterator[tuple[int, SpeechSpan]]:
    """Return the positions of letters that the words hold, too, with their times."""
    heard, spans = "", []
    for word in words:
        text = "".join(word.text.split())
        heard += text
        length_s = (word.end_s - word.start_s) / max(1, len(text))
        edges = [word.start_s + length_s * edge for edge in range(len(text))] + [word.end_s]
        spans += [SpeechSpan(edges[edge], edges[edge + 1]) for edge in range(len(text))]
    for of_words, of_letters, size in _equal_parts(heard, letters):
        for offset in range(size):
            yield of_letters + offset, spans[of_words + offset]


def _equal_parts(heard: str, letters: str) -> Iterator[tuple[int, int, int]]:
    if heard == letters:
        yield 0, 0, len(letters)
    elif len(heard) * len(letters) <= MAX_COMPARED:
        matcher = SequenceMatcher(None, heard, letters, autojunk=False)
        yield from ((block.a, block.b, block.size) for block in matcher.get_matching_blocks())


def _filled(
    times: Sequence[SpeechSpan | None], start_s: float, end_s: float
) -> Iterator[SpeechSpan]:
    """Spread letters without a time evenly between their neighbours."""
    position, last_s = 0, start_s
    while position < len(times):
        span = times[position]
        if span is not None:
            yield span
            last_s = span.end_s
            position += 1
            continue
        stop = position
        while stop < len(times) and times[stop] is None:
            stop += 1
        following = times[stop] if stop < len(times) else None
        length_s = (end_s if following is None else following.start_s) - last_s
        count = stop - position
        for number in range(count):
            yield SpeechSpan(
                last_s + length_s * number / count, last_s + length_s * (number + 1) / count
            )
        position = stop


def _in_order(phrase: Phrase, spans: Iterator[SpeechSpan]) -> Iterator[SpeechSpan]:
    earliest_s, latest_s = phrase.start_s, max(phrase.start_s, phrase.end_s)
    for span in spans:
        start_s = min(max(span.start_s, earliest_s), latest_s)
        earliest_s = min(max(span.end_s, start_s), latest_s)
        yield SpeechSpan(start_s, earliest_s)
