"""Tables, aims and pictures of the bench of live sessions."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench.live.parts import KIT
from bench.live.sessions import Line, as_raw
from bench.results import Aim, Cell, Chart, Results, Series, Table

STEP_S = 30.0  # of the picture
NOTES = (
    "A lag counts from the moment when the last sample of a prompt was sent to the event with the "
    "last word of its transcript, or of its translation. That of a clause counts from the moment "
    "when the place was sent that its event names: the first clause of a sentence that is "
    "recognised at its end is late by the rest of the sentence. The talks are recorded prompts "
    "with pauses of 0.3 to 2 s, fed in real time by the stock `openai` package over real sockets. "
    "First audio is the first sample of the clause that ends a prompt, counted as its text is.",
    "StreamLAAL (LongLAAL with computation) and LongYAAL are `omnisteval`'s; the reference is the "
    "server's own offline translation of the same audio, and so it is for chrF. `words` are lost "
    "at the end, and said twice. What was sent is only ever added to, so its erasure is 0.",
    "The Portuguese talk is spoken by the server's own voice: the recordings have none.",
)


def results(parts: Mapping[str, Sequence[Line]]) -> Results:
    lines = [each for name, part in parts.items() if name != KIT for each in part]
    kit = list(parts.get(KIT, ()))
    aims = judged(parts)
    tables = [lag_table("Live sessions, how far behind", lines)]
    tables.append(word_table("Live sessions, what they say and cost", lines))
    if kit:
        tables.append(lag_table("WhisperLiveKit on the same talks and weights", kit))
        tables.append(word_table("WhisperLiveKit, what it says and costs", kit))
    rows = [aim.row for aim in aims]
    tables.append(Table("Aims on two cores", ["figure", "measured", "aim", "met"], rows))
    return Results(
        name="live",
        title="Live sessions",
        findings=findings(lines, kit, aims),
        tables=tables,
        charts=charts(parts),
        notes=NOTES,
        raw={"parts": {name: as_raw(part) for name, part in parts.items()}},
    )


def lag_table(title: str, lines: Sequence[Line]) -> Table:
    return Table.of(
        title,
        lines,
        {
            "what": lambda line: line.what,
            "length s": lambda line: round(line.duration_s),
            "sessions": lambda line: line.sessions,
            "delay": lambda line: line.delay,
            "refused": lambda line: line.refused,
            "broken": lambda line: line.broken,
            "transcript p50 s": lambda line: line.transcript_p50_s,
            "p95 s": lambda line: line.transcript_p95_s,
            "translation p50 s": lambda line: line.translation_p50_s,
            "p95 s ": lambda line: line.translation_p95_s,
            "clause p95 s": lambda line: line.clause_p95_s,
            "first audio p50 s": lambda line: line.audio_p50_s,
            "p95 s  ": lambda line: line.audio_p95_s,
            "audio, clause p95 s": lambda line: line.clause_audio_p95_s,
            "StreamLAAL s": lambda line: line.stream_laal_s,
            "LongYAAL s": lambda line: line.long_yaal_s,
            "slope ms/s": lambda line: line.slope_ms_a_s,
        },
    )


def word_table(title: str, lines: Sequence[Line]) -> Table:
    return Table.of(
        title,
        lines,
        {
            "what": lambda line: line.what,
            "sessions": lambda line: line.sessions,
            "delay": lambda line: line.delay,
            "early text": lambda line: percents(line.early_share),
            "erasure": lambda line: line.erasure,
            "WER": lambda line: percents(line.wer),
            "WER offline": lambda line: percents(line.wer_offline),
            "words lost": lambda line: line.lost_words,
            "words twice": lambda line: line.repeated_words,
            "prompts missed": lambda line: line.missed_spans,
            "chrF": lambda line: line.chrf,
            "CPU a session": lambda line: percents(line.cpu_share),
        },
    )


def percents(share: float | None) -> Cell:
    return None if share is None else f"{share:.1%}"


# ---- aims ------------------------------------------------------------------------------------


def judged(parts: Mapping[str, Sequence[Line]]) -> list[Aim]:
    """Hold what was measured against what was wanted on two cores, text alone at medium."""
    found: list[Aim] = []
    for line in parts.get("medium", ()):
        bounds = {1: (1.5, 2.0), 8: (3.0, 3.5)}.get(line.sessions)
        if bounds is not None:
            found += _lags(line, bounds)
        if line.sessions == 1:
            found += _at_most("StreamLAAL, one session", line.stream_laal_s, 3.0, " s")
            if line.early_share is not None:
                aim = Aim.at_least("early text, percent", 100 * line.early_share, 50)
                found.append(aim)
    for line in parts.get("long", ()):
        what = f"slope over ten minutes, {line.sessions} sessions"
        slope = None if line.slope_ms_a_s is None else abs(line.slope_ms_a_s)
        found += _at_most(what, slope, 1.0, " ms/s")
    for line in parts.get("spoken", ()):
        if line.what.endswith("to en"):
            found += _at_most("first audio, into English", line.audio_p95_s, 3.0, " s")
    every = [line for name, part in parts.items() if name != KIT for line in part]
    found += _words(every) if every else []
    return found + _beside_files(parts.get("files", ()))


def _lags(line: Line, bounds: tuple[float, float]) -> list[Aim]:
    many = f"{line.sessions} sessions" if line.sessions > 1 else "one session"
    return [
        Aim.at_most(f"refused or broken, {many}", line.refused + line.broken, 0),
        *_at_most(f"transcript lag p95, {many}", line.transcript_p95_s, bounds[0], " s"),
        *_at_most(f"translation lag p95, {many}", line.translation_p95_s, bounds[1], " s"),
    ]


def _words(lines: Sequence[Line]) -> list[Aim]:
    known = [(line.wer, line.wer_offline) for line in lines if line.wer and line.wer_offline]
    aims = []
    if known:
        live, offline = (statistics.fmean(column) for column in zip(*known, strict=True))
        aims.append(Aim.at_most("WER, of the offline one's", live / offline, 1.1))
    lost = sum(line.lost_words or 0 for line in lines)
    twice = sum(line.repeated_words or 0 for line in lines)
    return [*aims, Aim.at_most("words lost", lost, 0), Aim.at_most("words twice", twice, 0)]


def _beside_files(lines: Sequence[Line]) -> list[Aim]:
    lags = [line.transcript_p95_s for line in lines]
    if len(lags) != 2 or lags[0] is None or lags[1] is None:
        return []
    return [Aim.at_most("lag p95 beside files, of that without", lags[1] / lags[0], 1.5)]


def _at_most(what: str, measured: float | None, aim: float, unit: str) -> list[Aim]:
    return [] if measured is None else [Aim.at_most(what, measured, aim, unit)]


# ---- sentences and pictures --------------------------------------------------------------------


def findings(lines: Sequence[Line], kit: Sequence[Line], aims: Sequence[Aim]) -> list[str]:
    found = []
    if aims:
        found.append(f"{sum(aim.met for aim in aims)} of {len(aims)} aims are met.")
    kept = [line for line in lines if line.transcript_p95_s is not None and not line.refused]
    if kept:
        most = max(kept, key=lambda line: line.sessions)
        found.append(
            f"The most sessions of which none was refused were {most.sessions} ({most.what}), with "
            f"a transcript lag of {most.transcript_p95_s:.2f} s (p95)."
        )
    for other in kit:
        same = [
            line
            for line in lines
            if (line.sessions, line.duration_s) == (other.sessions, other.duration_s)
            and line.delay == "medium"
            and line.transcript_p95_s is not None
        ]
        if same and other.transcript_p95_s is not None:
            ours = same[0]
            found.append(
                f"{other.sessions} sessions of {other.duration_s:.0f} s: transcript lag p95 "
                f"{ours.transcript_p95_s:.2f} s with a WER of {percents(ours.wer)}; WhisperLiveKit "
                f"{other.transcript_p95_s:.2f} s with {percents(other.wer)}."
            )
    return found


def charts(parts: Mapping[str, Sequence[Line]]) -> list[Chart]:
    over_time = [
        *parts.get("long", ()),
        *(line for line in parts.get(KIT, ()) if line.duration_s > 100),
    ] or parts.get("medium", ())
    series = [
        Series(f"{line.what}, {line.sessions} at once", *curve(line.points["transcript"]))
        for line in over_time
        if line.points.get("transcript")
    ]
    found = [Chart("Transcript lag over time", "s of speech", "s behind, median", series)]
    by_delay = {
        name: [line for line in part if line.transcript_p95_s is not None]
        for name, part in parts.items()
        if part and part[0].what.startswith("one minute")
    }
    against: list[Any] = [
        Series(
            name,
            [line.sessions for line in part],
            [line.transcript_p95_s or 0.0 for line in part],
        )
        for name, part in by_delay.items()
        if part
    ]
    if against:
        found.append(Chart("Transcript lag against sessions", "sessions", "s, p95", against))
    return found


def curve(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Return the median lag of each half minute."""
    by_step: dict[float, list[float]] = {}
    for place, lag in points:
        by_step.setdefault(place // STEP_S * STEP_S, []).append(lag)
    places = sorted(by_step)
    return places, [statistics.median(by_step[place]) for place in places]
