"""Turns what onnx-asr says into transcripts: tokens with their times to words and segments."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from models.asr.decoding import compression_ratio
from models.text.sentences import split
from models.types import AsrItem, Segment, Word

if TYPE_CHECKING:
    from onnx_asr.asr import TimestampedResult

# The library tells where a token begins. It lasts until the next one, but no longer than this.
LONGEST_TOKEN_S = 0.4


def segments_of(said: TimestampedResult, item: AsrItem, language: str) -> tuple[Segment, ...]:
    """Return the sentences of an answer; without times of tokens one segment of the whole speech.

    Args:
        said: what the library heard.
        item: what it was asked.
        language: of the text.
    """
    text = said.text.strip()
    if not text:
        return ()
    logprob = mean(said.logprobs or [])
    words = words_of(said, item.length)
    if not words:
        start_s = item.speech[0].start_s if item.speech else 0.0
        end_s = item.speech[-1].end_s if item.speech else item.length
        return (_segment(start_s, end_s, text, logprob, None, language),)
    return tuple(
        _segment(
            run[0].start_s,
            run[-1].end_s,
            "".join(word.text for word in run).strip(),
            logprob,
            tuple(run) if item.word_timestamps else None,
            language,
        )
        for run in _sentences(words, text, language)
    )


def _segment(
    start_s: float,
    end_s: float,
    text: str,
    logprob: float,
    words: tuple[Word, ...] | None,
    language: str,
) -> Segment:
    return Segment(
        start_s,
        end_s,
        text,
        tokens=(),
        temperature=0.0,
        avg_logprob=logprob,
        compression_ratio=compression_ratio(text),
        no_speech_prob=0.0,
        words=words,
        language=language,
    )


def words_of(said: TimestampedResult, length_s: float) -> list[Word]:
    """Return the words of an answer with their times; none: the model tells no times."""
    if said.timestamps is None or said.tokens is None:
        return []
    ends = [*said.timestamps[1:], length_s]
    logprobs = said.logprobs or [0.0] * len(said.tokens)
    letters = [  # of each letter of the text: when its token begins and ends, and how likely it is
        (start, min(end, start + LONGEST_TOKEN_S, length_s), logprob)
        for token, start, end, logprob in zip(
            said.tokens, said.timestamps, ends, logprobs, strict=True
        )
        for _ in "".join(token.split())
    ]
    words, place = list[Word](), 0
    for text in said.text.split():
        of_word = letters[place : place + len(text)]
        place += len(text)
        start_s = min(of_word[0][0], length_s)
        end_s = max(start_s, of_word[-1][1])
        words.append(Word(start_s, end_s, f" {text}", math.exp(mean([p for *_, p in of_word]))))
    return words


def mean(logprobs: Sequence[float]) -> float:
    """Return the mean of log probabilities, at most 0; of none 0."""
    return min(0.0, sum(logprobs) / len(logprobs)) if logprobs else 0.0


def _sentences(words: Sequence[Word], text: str, language: str) -> Iterator[Sequence[Word]]:
    """Cut words where the sentences of their text end; a word belongs to one sentence."""
    cut = split(text, language)
    lengths = (_letters(gap + each) for gap, each in zip(cut.gaps, cut.sentences, strict=False))
    ends = list(accumulate(lengths))[:-1]  # the last one ends where the text does
    reached = list(accumulate(_letters(word.text) for word in words))
    bounds = [0, *(next(n for n, r in enumerate(reached, 1) if r >= end) for end in ends)]
    for start, end in pairwise(dict.fromkeys([*bounds, len(words)])):
        yield words[start:end]


def _letters(text: str) -> int:
    return len("".join(text.split()))
