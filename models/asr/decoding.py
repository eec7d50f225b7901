"""Whisper's decoding rules without its weights: temperature fallback, segments, words.

The rules are those of openai/whisper's ``transcribe.py`` as faster-whisper 1.2 applies them
to one window at a time; here they take a batch, in which no row sees its neighbours.
"""

from __future__ import annotations

import math
import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from models.types import Segment, Word

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.tokenizer import Tokenizer

FRAMES_PER_S = 100  # mel frames: a hop of 160 samples at 16 kHz
MAX_TOKENS = 448  # the decoder's positions: prompt and text together
MAX_NEW_TOKENS = MAX_TOKENS // 2  # Whisper's own bound on the text of a window
# A short window gets a smaller bound, so that a row that repeats itself does not hold up its
# batch for 224 steps. 15 tokens a second is twice what Whisper allows a full window of 30 s.
# The constant leaves room for timestamps and very short windows.
NEW_TOKENS_PER_S = 15
MIN_NEW_TOKENS = 16
# Punctuation that belongs to the word after it, or before it (openai/whisper's defaults).
PREPEND_PUNCTUATION = "\"'“¿([{-"
APPEND_PUNCTUATION = "\"'.。,，!！?？:：”)]}、"
Shape: TypeAlias = tuple[int, bool, int | None, bool]
UNSPACED_LANGUAGES = frozenset({"zh", "ja", "th", "lo", "my", "yue"})


@dataclass(frozen=True, slots=True)
class Query:
    """One row's question to the decoder: its prompt, and the temperatures to try in this order."""

    prompt: tuple[int, ...]
    temperatures: tuple[float, ...]
    timestamps: bool = True  # the prompt asks for them
    forced: tuple[int, ...] = ()  # the text's first tokens, which stand behind the prompt
    beam_size: int | None = None  # None: the search's own
    may_be_empty: bool = False  # the text may end where it begins

    @property
    def shape(self) -> Shape:
        """Return what the queries of one CTranslate2 call must have in common.

        Prompts of another length, or without timestamps, have ``<|startoftranscript|>`` elsewhere.
        Forced tokens come behind it, so their number may differ.
        """
        return len(self.prompt), self.timestamps, self.beam_size, self.may_be_empty


@dataclass(frozen=True, slots=True)
class Attempt:
    """One decoding of a window. ``avg_logprob`` is per token, in nats."""

    tokens: tuple[int, ...]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    is_cut: bool = False  # decoding stopped at the bound of tokens: there may be more text


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits beyond which an attempt is repetitive, unlikely, or of a window without speech."""

    compression_ratio: float = 2.4
    log_prob: float = -1.0
    no_speech: float = 0.6

    def is_silence(self, attempt: Attempt) -> bool:
        """Tell whether nobody speaks, and the text is not likely in spite of it."""
        return attempt.no_speech_prob > self.no_speech and not attempt.avg_logprob > self.log_prob

    def needs_fallback(self, attempt: Attempt) -> bool:
        """Tell whether to decode once more, at the next temperature."""
        if attempt.no_speech_prob > self.no_speech and attempt.avg_logprob < self.log_prob:
            return False
        return self._repeats(attempt) or attempt.avg_logprob < self.log_prob

    def best(self, attempts: Sequence[Attempt]) -> Attempt:
        """Return the last attempt if it passes, else the likeliest; those that repeat come last.

        The likeliest is given the last temperature, as faster-whisper does. It tells how far
        decoding had to go, and so whether the text may be a prompt for what follows.
        """
        last = attempts[-1]
        if not self.needs_fallback(last):
            return last
        candidates = [a for a in attempts if not self._repeats(a)] or attempts
        likeliest = max(candidates, key=lambda attempt: attempt.avg_logprob)
        return replace(likeliest, temperature=last.temperature)

    def _repeats(self, attempt: Attempt) -> bool:
        return attempt.compression_ratio > self.compression_ratio


def decode(
    queries: Sequence[Query],
    generate: Callable[[list[int], float], list[Attempt]],
    thresholds: Thresholds,
) -> list[Attempt]:
    """Decode rows with temperature fallback: only rows that fail are decoded again.

    Args:
        queries: one a row.
        generate: decodes the rows with these indices at one temperature; their prompts
            are of one shape, and its attempts are without what is forced.
    """
    attempts: list[list[Attempt]] = [[] for _ in queries]
    pending = list(range(len(queries)))
    while pending:
        groups: defaultdict[tuple[float, Shape], list[int]] = defaultdict(list)
        for row in pending:
            query = queries[row]
            groups[query.temperatures[len(attempts[row])], query.shape].append(row)
        for (temperature, _), rows in groups.items():
            for row, attempt in zip(rows, generate(rows, temperature), strict=True):
                attempts[row].append(attempt)
        pending = [
            row
            for row in pending
            if len(attempts[row]) < len(queries[row].temperatures)
            and thresholds.needs_fallback(attempts[row][-1])
        ]
    return [thresholds.best(tried) for tried in attempts]


def compression_ratio(text: str) -> float:
    """Divide the bytes of ``text`` by its bytes under zlib; a text that repeats itself is high."""
    data = text.encode()
    return len(data) / len(zlib.compress(data))


def max_length(window_s: float, prompt_tokens: int) -> int:
    """Return CTranslate2's ``max_length`` for a window, which bounds prompt and text together."""
    wanted = min(MAX_NEW_TOKENS, math.ceil(NEW_TOKENS_PER_S * window_s) + MIN_NEW_TOKENS)
    return min(MAX_TOKENS, max(2 * wanted, prompt_tokens + wanted))


def max_new_tokens(max_length: int, prompt_tokens: int) -> int:
    """Count how many tokens of text CTranslate2 decodes under a ``max_length``."""
    return min(max_length // 2, max_length - prompt_tokens)


def smallest_window_s(windows_s: Sequence[float], margin_s: float, length_s: float) -> float:
    """Return the smallest window that holds audio and margin; the largest needs no margin.

    Args:
        windows_s: sorted.
    """
    return next((w for w in windows_s if length_s + margin_s <= w), windows_s[-1])


def window_capacities_s(windows_s: Sequence[float], margin_s: float) -> tuple[float, ...]:
    """Return the longest audio that each window holds."""
    return (*(window_s - margin_s for window_s in windows_s[:-1]), windows_s[-1])


def join_text(segments: Sequence[Segment], language: str) -> str:
    """Join the texts of all segments, with spaces where the language writes them."""
    glue = "" if language in UNSPACED_LANGUAGES else " "
    return glue.join(segment.text for segment in segments)


@dataclass(slots=True)
class Stretch:
    """The text of one decoded window: faster-whisper's segments, and the frame to go on from."""

    segments: list[dict[str, Any]]  # start, end [s]; tokens; seek [frames]; words, if asked for
    next_frame: int
    complete: bool  # the window ended in a lone timestamp: no segment was cut

    def text_tokens(self, end: int) -> list[int]:
        """Return all tokens before ``end``, the first token that is not text."""
        return [token for said in self.segments for token in said["tokens"] if token < end]


def split(
    model: WhisperModel, tokenizer: Tokenizer, tokens: Sequence[int], frame: int, frames: int
) -> Stretch:
    """Cut a window's tokens at its timestamps; the window begins at ``frame``."""
    segments, next_frame, complete = model._split_segments_by_timestamps(
        tokenizer=tokenizer,
        tokens=list(tokens),
        time_offset=frame / FRAMES_PER_S,
        segment_size=frames,
        segment_duration=frames / FRAMES_PER_S,
        seek=frame,
    )
    # A pair of timestamps at 0.00 would select the same window forever.
    return Stretch(segments, next_frame if next_frame > frame else frame + frames, complete)


class _Aligned:
    """Stands for a ``WhisperModel`` in ``add_word_timestamps``; its alignment is already made."""

    frames_per_second = FRAMES_PER_S

    def __init__(self, alignment: list[dict[str, Any]]) -> None:
        self._alignment = alignment

    def find_alignment(self, *_: object) -> list[list[dict[str, Any]]]:
        return [self._alignment]


def add_words(
    stretch: Stretch,
    tokenizer: Tokenizer,
    alignment: list[dict[str, Any]],
    last_speech_s: float,
) -> None:
    """Put words into a stretch by faster-whisper's rules, from an alignment of its tokens.

    ``add_word_timestamps`` carries the end of speech from row to row of a batch, so it is called
    with one row at a time. The costly alignment was made for all rows together.

    Args:
        stretch: changed in place; its segments also move to the times of their words.
        alignment: of this row, from ``WhisperModel.find_alignment``.
        last_speech_s: where speech ended before this stretch.
    """
    from faster_whisper import WhisperModel

    frame = stretch.segments[0]["seek"]
    WhisperModel.add_word_timestamps(
        _Aligned(alignment),
        [stretch.segments],
        tokenizer,
        None,
        None,
        PREPEND_PUNCTUATION,
        APPEND_PUNCTUATION,
        last_speech_s,
    )
    ends_s = [segment["words"][-1]["end"] for segment in stretch.segments if segment["words"]]
    if ends_s and not stretch.complete and (next_frame := round(ends_s[-1] * FRAMES_PER_S)) > frame:
        stretch.next_frame = next_frame


def segments_of(
    stretch: Stretch,
    attempt: Attempt,
    tokenizer: Tokenizer,
    duration_s: float,
    *,
    language: str,
    word_timestamps: bool,
) -> list[Segment]:
    """Return the segments that have text, clipped to the audio; drop those in the padding."""
    segments = []
    for raw in stretch.segments:
        start_s, end_s = (
            min(max(0.0, round(float(raw[side]), 3)), duration_s) for side in ("start", "end")
        )
        text = tokenizer.decode(raw["tokens"]).strip()
        if start_s >= end_s or not text:
            continue
        segments.append(
            Segment(
                start_s=start_s,
                end_s=end_s,
                text=text,
                tokens=tuple(raw["tokens"]),
                temperature=attempt.temperature,
                avg_logprob=attempt.avg_logprob,
                compression_ratio=attempt.compression_ratio,
                no_speech_prob=attempt.no_speech_prob,
                words=_words(raw["words"], start_s, end_s) if word_timestamps else None,
                language=language,
            )
        )
    return segments


def _words(raw: list[dict[str, Any]], start_s: float, end_s: float) -> tuple[Word, ...]:
    words, earliest_s = [], start_s
    for word in raw:
        first_s = min(max(earliest_s, round(float(word["start"]), 3)), end_s)
        last_s = min(max(first_s, round(float(word["end"]), 3)), end_s)
        words.append(Word(first_s, last_s, word["word"], float(word["probability"])))
        earliest_s = last_s
    return tuple(words)
