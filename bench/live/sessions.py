"""Measure some live sessions at once: their figures, what they cost, and who was refused."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from bench.live.feeding import Ask, Outcome, feed
from bench.live.measures import Figures, figures, share, slope_ms_a_s
from bench.live.offline import Offlines
from bench.live.omnist import scores
from bench.serving import Server

Beside: TypeAlias = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Line:
    """What some sessions at once came to: a row of a table. Times are in seconds."""

    what: str
    sessions: int
    duration_s: float
    delay: str
    refused: int
    broken: int  # ended before their end, for another reason
    transcript_p50_s: float | None
    transcript_p95_s: float | None
    translation_p50_s: float | None
    translation_p95_s: float | None
    clause_p95_s: float | None
    audio_p50_s: float | None  # to the first sample of the clause that ends a prompt
    audio_p95_s: float | None
    stream_laal_s: float | None  # with computation
    long_yaal_s: float | None
    slope_ms_a_s: float | None  # of the transcript's lag
    early_share: float | None
    wer: float | None
    wer_offline: float | None
    lost_words: int | None
    repeated_words: int | None
    missed_spans: int | None
    chrf: float | None
    cpu_share: float | None  # of a core, a session
    clause_audio_p95_s: float | None = None  # from a clause's own place on
    erasure: float = 0.0  # deltas are only ever added
    points: dict[str, list[tuple[float, float]]] = field(default_factory=dict)  # place, lag
    errors: list[str] = field(default_factory=list)


def measure(
    server: Server,
    what: str,
    asks: Sequence[Ask],
    offlines: Offlines,
    *,
    beside: Beside = nullcontext,
    library: str = "openai",
    with_scores: bool = True,
) -> Line:
    """Run the sessions, with ``beside`` open meanwhile, and compute their line."""
    references = [offlines.of(ask.talk, ask.target) for ask in asks]
    before = sum(server.cpu_s().values())
    with beside():
        outcomes = feed(f"{server.url}/v1", asks, library)
    cpu_s = sum(server.cpu_s().values()) - before
    kept = [
        (outcome, figures(outcome, reference.source, reference.target))
        for outcome, reference in zip(outcomes, references, strict=True)
        if outcome.is_whole and outcome.sent
    ]
    omnist = [
        scores(outcome, offlines.of(outcome.ask.talk, outcome.ask.target).segments)
        for outcome, _ in kept
        if with_scores
    ]
    found = line(what, asks, outcomes, [each for _, each in kept], omnist, cpu_s)
    print(
        f"  {what}, {len(asks)} sessions: transcript p95 {found.transcript_p95_s} s, "
        f"translation p95 {found.translation_p95_s} s, {found.refused} refused",
        flush=True,
    )
    return found


def line(
    what: str,
    asks: Sequence[Ask],
    outcomes: Sequence[Outcome],
    found: Sequence[Figures],
    omnist: Sequence[dict[str, float]],
    cpu_s: float | None,
) -> Line:
    transcripts = [point for each in found for point in each.transcript_lags_s]
    translations = [point for each in found for point in each.translation_lags_s]
    clauses = [point for each in found for point in each.clause_lags_s]
    audio = [point for each in found for point in each.audio_lags_s]
    clause_audio = [point for each in found for point in each.clause_audio_lags_s]
    refused = sum(outcome.status is not None for outcome in outcomes)
    talked_s = sum(ask.talk.duration_s for ask in asks[: len(found)])
    return Line(
        what=what,
        sessions=len(asks),
        duration_s=asks[0].talk.duration_s,
        delay=asks[0].delay,
        refused=refused,
        broken=len(outcomes) - len(found) - refused,
        transcript_p50_s=share(transcripts, 50),
        transcript_p95_s=share(transcripts, 95),
        translation_p50_s=share(translations, 50),
        translation_p95_s=share(translations, 95),
        clause_p95_s=share(clauses, 95),
        audio_p50_s=share(audio, 50),
        audio_p95_s=share(audio, 95),
        clause_audio_p95_s=share(clause_audio, 95),
        stream_laal_s=_seconds(omnist, "LongLAAL (CA)"),
        long_yaal_s=_seconds(omnist, "LongYAAL (CA)"),
        slope_ms_a_s=slope_ms_a_s(transcripts),
        early_share=_mean([each.early_share for each in found]),
        wer=_mean([each.wer for each in found]),
        wer_offline=_mean([each.wer_offline for each in found]),
        lost_words=_sum([each.lost_words for each in found]),
        repeated_words=_sum([each.repeated_words for each in found]),
        missed_spans=_sum([each.missed_spans for each in found]),
        chrf=_mean([each.chrf for each in found]),
        cpu_share=cpu_s / talked_s if cpu_s is not None and talked_s else None,
        points={
            "transcript": transcripts,
            "translation": translations,
            "clause": clauses,
            "audio": audio,
        },
        errors=[outcome.error for outcome in outcomes if outcome.error],
    )


def _seconds(tables: Sequence[dict[str, float]], name: str) -> float | None:
    mean = _mean([table.get(name) for table in tables])
    return None if mean is None else mean / 1000


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def as_raw(lines: Sequence[Line]) -> list[dict[str, Any]]:
    return [asdict(each) for each in lines]


def from_raw(raw: Sequence[dict[str, Any]]) -> list[Line]:
    return [Line(**each) for each in raw]
