"""Words as levels of sound, and models that hear them: live sessions are tested to the word.

The word ``w7`` of a language is 0.4 s at one level. A recogniser that hears a part of it writes
something else, as real ones do at the edge of their audio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deployments.live.events import Event
from models.types import (
    SAMPLE_RATE_HZ,
    AsrItem,
    Segment,
    Transcript,
    VadItem,
    VadResult,
    Word,
)
from tests.support.clock import VirtualClock

WORD_SAMPLES = 6_400
WORD_S = WORD_SAMPLES / SAMPLE_RATE_HZ
BASES = {"en": 2_000, "pt": 12_000}  # the level of each language's word 0
Sound = NDArray[np.int16]


def spoken(*numbers: int, language: str = "en") -> Sound:
    """Say words one after the other."""
    levels = np.array(numbers, np.int16) + BASES[language]
    return np.repeat(levels, WORD_SAMPLES)


def silence(length_s: float) -> Sound:
    return np.zeros(round(length_s * SAMPLE_RATE_HZ), np.int16)


def words(*numbers: int) -> str:
    return " ".join(f"w{number}" for number in numbers)


class LevelModels:
    """Hears words by their levels. ``asked`` are the items of the recogniser."""

    def __init__(self, clock: VirtualClock, takes_s: float = 0.2) -> None:
        self._clock, self.takes_s = clock, takes_s
        self.asked: list[AsrItem] = []
        self.pieces: list[VadItem] = []
        self.most_at_once = self._now_asked = 0
        self.fails: Callable[[], Exception | None] = lambda: None
        self.writes = written
        self.takes_prefix = self.takes_prompt = True

    async def hear(self, item: VadItem) -> VadResult:
        self.pieces.append(item)
        frames = np.abs(item.samples.reshape(-1, 512).astype(np.int32)).max(axis=1)
        return VadResult((), (frames > 0).astype(np.float32), np.ones(1, np.float32))

    async def recognise(self, item: AsrItem) -> Transcript:
        self.asked.append(item)
        self._now_asked += 1
        self.most_at_once = max(self.most_at_once, self._now_asked)
        try:
            over = asyncio.Event()
            self._clock.call_at(self._clock.time() + self.takes_s, over.set)
            await over.wait()
            if (error := self.fails()) is not None:
                raise error
            return self.writes(item)
        finally:
            self._now_asked -= 1


def written(item: AsrItem) -> Transcript:
    """Write down the levels of an item's audio, from its prefix on."""
    samples = np.asarray(item.samples)
    edges = [0, *(np.flatnonzero(np.diff(samples)) + 1).tolist(), len(samples)]
    found, language = [], "en"
    for start, end in pairwise(edges):
        level = int(samples[start]) if end > start else 0
        if level == 0 or end - start < WORD_SAMPLES // 2:
            continue
        language = max((b, name) for name, b in BASES.items() if b <= level)[1]
        name = "w" if end - start >= 0.9 * WORD_SAMPLES else "x"
        text = f" {name}{level - BASES[language]}"
        found.append(Word(start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ, text, 0.9))
    if item.task == "detect":
        return Transcript("", language, 0.97, (), ((language, 0.97),))
    text = "".join(word.text for word in found)
    prefix = item.prefix or ""
    assert text.startswith(prefix), f"{prefix!r} was sent, and {text!r} is heard"
    if not found:
        return Transcript("", "und", 0.0, ())
    rest = text[len(prefix) :]
    segment = Segment(0.0, item.length, rest, (), 0.0, -0.1, 1.0, 0.0, tuple(found), language)
    if item.language is not None:
        return Transcript(rest, language, 1.0, (segment,))
    return Transcript(rest, language, 0.97, (segment,), ((language, 0.97),))


def in_one_language(item: AsrItem) -> Transcript:
    """Write words of other languages than the item's as others: a recogniser knows one at a time.

    Where none is named, it is that of the first word.
    """
    whole = written(replace(item, prefix=None))
    if item.task == "detect" or not whole.segments:
        return whole
    (segment,) = whole.segments
    samples, heard = np.asarray(item.samples), segment.words or ()

    def language_of(word: Word) -> str:
        level = samples[round((word.start_s + word.end_s) / 2 * SAMPLE_RATE_HZ)]
        return max((base, name) for name, base in BASES.items() if base <= level)[1]

    language = item.language or language_of(heard[0])
    kept = tuple(
        word if language_of(word) == language else replace(word, text=word.text.replace("w", "y"))
        for word in heard
    )
    text, prefix = "".join(word.text for word in kept), item.prefix or ""
    assert text.startswith(prefix), f"{prefix!r} was sent, and {text!r} is heard"
    text = text[len(prefix) :]
    segment = replace(segment, words=kept, text=text, language=language)
    languages = () if item.language else ((language, 0.97),)
    return replace(whole, text=text, language=language, segments=(segment,), languages=languages)


def stops_behind(item: AsrItem, words: int) -> Transcript:
    """Write down no more than so many words of an item's audio."""
    whole = written(item)
    kept = tuple(word for segment in whole.segments for word in segment.words or ())[:words]
    text = "".join(word.text for word in kept)[len(item.prefix or "") :]
    return replace(
        whole, text=text, segments=tuple(replace(s, words=kept, text=text) for s in whole.segments)
    )


def of(events: Sequence[Event], kind: type[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, kind)]
