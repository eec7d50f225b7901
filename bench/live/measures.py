"""Compute the figures of live sessions from what was sent and what came; nothing here waits."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import jiwer

from bench.live.feeding import Outcome, Word
from load.figures import percentile
from tests.support.speech import chrf, normalise, wer

WORD = re.compile(r"[\w'’]+")
FEWEST_POINTS = 3  # of a line
EDGE_S = 0.5  # by which the place of a word's end may be wrong
REPEATED_WORDS = 3  # so many the same twice in a row are said twice


@dataclass(frozen=True)
class Heard:
    """One prompt of a talk, as a session heard it."""

    place_s: float  # of its end
    lag_s: float  # from the moment its last sample was sent to its last word
    words: int
    early: int  # that came before the moment its last sample was sent


@dataclass(frozen=True)
class Figures:
    """What one session came to. None: it has no such thing."""

    transcript_lags_s: Sequence[tuple[float, float]]  # place in the source, lag
    translation_lags_s: Sequence[tuple[float, float]]  # the same of each prompt's translation
    clause_lags_s: Sequence[tuple[float, float]]  # of each piece of it, from its own place on
    audio_lags_s: Sequence[tuple[float, float]]  # of each prompt, to the first sample of its last
    clause_audio_lags_s: Sequence[tuple[float, float]]  # of each clause, from its own place on
    early_share: float | None
    wer: float  # of the transcript against what was said
    wer_offline: float | None  # of the server's own offline transcript
    lost_words: int | None  # at the end, against the offline transcript
    repeated_words: int
    chrf: float | None  # of the translation against the server's own offline one
    missed_spans: int


def figures(outcome: Outcome, offline_source: str | None, offline_target: str | None) -> Figures:
    talk = outcome.ask.talk
    heard = prompts(outcome)
    words = sum(each.words for each in heard)
    return Figures(
        transcript_lags_s=[(each.place_s, each.lag_s) for each in heard],
        translation_lags_s=by_prompt(outcome, outcome.target),
        clause_lags_s=lags(outcome, outcome.target),
        audio_lags_s=by_prompt(outcome, firsts(outcome.audio)),
        clause_audio_lags_s=lags(outcome, firsts(outcome.audio)),
        early_share=sum(each.early for each in heard) / words if words else None,
        wer=wer([talk.text], [outcome.source_text or "-"]),
        wer_offline=None if offline_source is None else wer([talk.text], [offline_source]),
        lost_words=None if offline_source is None else lost(offline_source, outcome.source_text),
        repeated_words=max(
            0, repeated(outcome.source_text) - repeated(offline_source or talk.text)
        ),
        chrf=None if offline_target is None else chrf([offline_target], [outcome.target_text]),
        missed_spans=len(talk.spans) - len(heard),
    )


# ---- when it came ----------------------------------------------------------------------------


def timed_words(pieces: Sequence[Word]) -> list[tuple[str, float]]:
    """Return each word, as it is counted, with when its last letter came."""
    found: list[tuple[str, float]] = []
    ends, at = [], 0
    for piece in pieces:
        at += len(piece.text)
        ends.append((at, piece.at))
    number = 0
    for match in WORD.finditer("".join(piece.text for piece in pieces)):
        while ends[number][0] < match.end():
            number += 1
        found += [(word, ends[number][1]) for word in normalise(match[0]).split()]
    return found


def prompts(outcome: Outcome) -> list[Heard]:
    """Find each prompt's words among those that came, by their alignment with what was said."""
    hypothesis = timed_words(outcome.source)
    spans = outcome.ask.talk.spans
    owners = [(n, word) for n, span in enumerate(spans) for word in normalise(span.text).split()]
    if not hypothesis or not owners:
        return []
    times: dict[int, list[float]] = {}
    aligned = jiwer.process_words(
        " ".join(word for _, word in owners), " ".join(word for word, _ in hypothesis)
    )
    for chunk in aligned.alignments[0]:
        if chunk.type in ("equal", "substitute"):
            for offset in range(chunk.ref_end_idx - chunk.ref_start_idx):
                owner = owners[chunk.ref_start_idx + offset][0]
                at = hypothesis[chunk.hyp_start_idx + offset][1]
                times.setdefault(owner, []).append(at)
    found = []
    for number, came in sorted(times.items()):
        ended = outcome.sent_at(spans[number].end_s)
        early = sum(at < ended for at in came)
        found.append(Heard(spans[number].end_s, max(came) - ended, len(came), early))
    return found


def by_prompt(outcome: Outcome, found: Sequence[Word]) -> list[tuple[float, float]]:
    """Return of each prompt the place of its end, and how long after it the last piece of it came.

    A piece is of what lies between the place before it and its own, so it may be of two prompts.
    """
    pieces = [(piece.place_s, piece.at) for piece in found if piece.place_s is not None]
    begins = [0.0, *(place_s for place_s, _ in pieces)]
    lags_s = []
    for span in outcome.ask.talk.spans:
        edge_s = min(EDGE_S, (span.end_s - span.start_s) / 2)
        came = [
            at
            for begin_s, (place_s, at) in zip(begins, pieces, strict=False)
            if begin_s < span.end_s - edge_s and place_s > span.start_s
        ]
        if came:
            lags_s.append((span.end_s, max(came) - outcome.sent_at(span.end_s)))
    return lags_s


def lags(outcome: Outcome, pieces: Sequence[Word]) -> list[tuple[float, float]]:
    """Return of each piece the place that it goes up to, and how long after its sending it came."""
    return [
        (word.place_s, word.at - outcome.sent_at(word.place_s))
        for word in pieces
        if word.place_s is not None
    ]


def firsts(pieces: Sequence[Word]) -> list[Word]:
    """Return the first piece of speech of each place."""
    first: dict[float | None, Word] = {}
    for word in pieces:
        first.setdefault(word.place_s, word)
    return list(first.values())


def slope_ms_a_s(points: Sequence[tuple[float, float]]) -> float | None:
    """Return by how many milliseconds the lag grows in a second of audio, by least squares."""
    if len(points) < FEWEST_POINTS:
        return None
    places, lags_s = zip(*points, strict=True)
    return 1000 * statistics.linear_regression(places, lags_s).slope


def share(points: Sequence[tuple[float, float]], percent: float) -> float | None:
    """Return a percentile of lags, in seconds."""
    return percentile(sorted(lag for _, lag in points), percent) if points else None


# ---- what came ---------------------------------------------------------------------------------


def lost(reference: str, hypothesis: str) -> int:
    """Count the words at the end of the reference that the hypothesis does not reach."""
    said, heard = normalise(reference), normalise(hypothesis)
    if not said or not heard:
        return len(said.split())
    last = jiwer.process_words(said, heard).alignments[0][-1]
    return last.ref_end_idx - last.ref_start_idx if last.type == "delete" else 0


def repeated(text: str) -> int:
    """Count the words that stand twice in a row, three or more at a time."""
    words, count, at = normalise(text).split(), 0, 0
    while at < len(words):
        longest = 0
        for size in range(REPEATED_WORDS, (len(words) - at) // 2 + 1):
            if words[at : at + size] == words[at + size : at + 2 * size]:
                longest = size
        count, at = count + longest, at + max(1, longest)
    return count


def erasure(states: Sequence[str]) -> float:
    """Return the words taken back over the words in the end (normalised erasure).

    Args:
        states: the whole text after each event, as words are counted.
    """
    taken, before = 0, list[str]()
    for state in states:
        now = normalise(state).split()
        same = 0
        while same < min(len(before), len(now)) and before[same] == now[same]:
            same += 1
        taken, before = taken + len(before) - same, now
    return taken / len(before) if before else 0.0
