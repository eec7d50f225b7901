"""Words of live speech: errors, lag and what is sent early, by delay, beside the server's files.

    python -m bench.live_words [--quick] [--delays medium] [--sessions 1 8] [--clips 120]

Real models in this process. Clips of one language, and of all, are joined with pauses; the clock
is a virtual one, which moves by what each call of a model costs.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.bare import loaded
from bench.command import flag, run, some, value
from bench.engine_inputs import WHISPER
from bench.live_replicas import Cost, Replicas, measured, modelled
from bench.results import Cell, Results, Table
from deployments.graph.languages import cut_windows
from deployments.graph.listening import listen
from deployments.graph.plan import TranscribeOptions
from deployments.graph.transcripts import in_recording, joined, transcript_of
from deployments.live.events import Event, Notice, TranscriptDelta, TurnDone, TurnFailed
from deployments.live.hearing import Hearing
from deployments.live.options import DELAYS, Delay, LiveOptions
from models.types import SAMPLE_RATE_HZ, Audio
from tests.support.clock import VirtualClock
from tests.support.speech import SHORT_SPEECH, Clip, clips, normalise, wer

CHUNK = SAMPLE_RATE_HZ // 10  # samples that a client sends at once
Sound = NDArray[np.int16]


@dataclass
class Speaker:
    """One stream: its sound, its text, and where each clip of it ends."""

    sound: Sound
    text: str
    ends_s: list[float]


@dataclass
class Heard:
    """What a session told, with the time of each event."""

    events: list[tuple[float, Event]] = field(default_factory=list)

    def of(self, kind: type[Any]) -> Iterator[tuple[float, Any]]:
        return ((at_s, event) for at_s, event in self.events if isinstance(event, kind))

    @property
    def text(self) -> str:
        return " ".join(event.text for _, event in self.of(TurnDone))

    @property
    def taken_back(self) -> int:
        """Count the turns whose deltas are not their text."""
        deltas: dict[int, str] = {}
        for _, event in self.of(TranscriptDelta):
            deltas[event.turn] = deltas.get(event.turn, "") + event.text
        return sum(deltas.get(e.turn, "") != e.text for _, e in self.of(TurnDone))

    def lags_s(self, speaker: Speaker) -> list[float]:
        """Return how long after its last sample each turn was done."""
        found = []
        for at_s, event in self.of(TurnDone):
            before = [end_s for end_s in speaker.ends_s if end_s <= event.end_s + 0.5]
            if event.text and before:
                found.append(at_s - before[-1])
        return found

    def early(self, speaker: Speaker) -> tuple[int, int]:
        """Count the letters that were sent before their clips had ended, and all."""
        ends_s = {}
        for _, event in self.of(TurnDone):
            before = [end_s for end_s in speaker.ends_s if end_s <= event.end_s + 0.5]
            ends_s[event.turn] = before[-1] if before else 0.0
        sent = [(at_s, e) for at_s, e in self.of(TranscriptDelta)]
        early = sum(len(e.text) for at_s, e in sent if at_s <= ends_s.get(e.turn, 0.0))
        return early, sum(len(e.text) for _, e in sent)


def speakers(count: int, seed: int = 0) -> list[Speaker]:
    """Join clips, each once, in streams of one language and some of all."""
    rng = random.Random(seed)
    pool = [*clips(), *clips(folder=SHORT_SPEECH)]
    rng.shuffle(pool)
    pool = pool[:count]
    by_language: dict[str, list[Clip]] = {}
    for number, clip in enumerate(pool):
        by_language.setdefault("all" if number % 6 == 0 else clip.language, []).append(clip)
    return [_joined(some_clips, rng) for _, some_clips in sorted(by_language.items())]


def _joined(some_clips: Sequence[Clip], rng: random.Random) -> Speaker:
    noise = np.random.default_rng(0)

    def pause(length_s: float) -> Sound:
        return noise.normal(0, 3, round(length_s * SAMPLE_RATE_HZ)).astype(np.int16)

    parts, ends_s, at = [pause(0.5)], [], SAMPLE_RATE_HZ // 2
    for clip in some_clips:
        samples = clip.samples()
        loud = np.flatnonzero(np.abs(samples) > 300)
        ends_s.append((at + int(loud[-1])) / SAMPLE_RATE_HZ)
        parts += [samples, pause(rng.uniform(0.3, 2.0))]
        at += sum(map(len, parts[-2:]))
    return Speaker(np.concatenate(parts), " ".join(clip.text for clip in some_clips), ends_s)


def live(
    every: Sequence[Speaker], models: tuple[Any, Any], cost: Cost, delay: Delay, side_by_side: int
) -> tuple[list[Heard], float]:
    """Hear all speakers, so many at a time. Return what each told, and the recogniser's load."""
    found: list[Heard] = []
    busy_s = spoken_s = 0.0
    for first in range(0, len(every), side_by_side):
        group = every[first : first + side_by_side]
        heard, busy = asyncio.run(_live(group, models, cost, delay))
        found += heard
        busy_s += busy
        spoken_s += max(len(each.sound) for each in group) / SAMPLE_RATE_HZ
    return found, busy_s / spoken_s


async def _live(
    group: Sequence[Speaker], models: tuple[Any, Any], cost: Cost, delay: Delay
) -> tuple[list[Heard], float]:
    clock = VirtualClock()
    replicas = Replicas(*models, clock, cost)
    heard = [Heard() for _ in group]

    def emit(into: Heard) -> Callable[[Event], None]:
        return lambda event: into.events.append((clock.time(), event))

    options = LiveOptions(delay=delay)
    sessions = [Hearing(replicas, options, emit(into), clock) for into in heard]
    for start in range(0, max(len(each.sound) for each in group), CHUNK):
        await clock.advance(CHUNK / SAMPLE_RATE_HZ)  # a chunk is sent once it was said
        for speaker, session in zip(group, sessions, strict=True):
            session.add(speaker.sound[start : start + CHUNK])
    ends = [asyncio.ensure_future(session.finish()) for session in sessions]
    while not all(end.done() for end in ends):
        await clock.advance(0.1)
    await asyncio.gather(*ends)
    return heard, replicas.busy_s


async def offline(speaker: Speaker, vad: Any, asr: Any) -> str:
    """Transcribe a stream as a file."""

    async def recognise(item: Any) -> Any:
        return asr.run([item])[0]

    async def hear(item: Any) -> Any:
        return vad.run([item])[0]

    async def here(call: Callable[[], Any]) -> Any:
        return call()

    options = TranscribeOptions()
    audio, found = await listen(Audio(speaker.sound), hear, here)
    windows = await cut_windows(audio, found.spans, options, recognise)
    return joined(
        [in_recording(await transcript_of(audio, w, options, recognise), w) for w in windows]
    ).text


def row(
    delay: str,
    count: int,
    every: Sequence[Speaker],
    heard: Sequence[Heard],
    load: float,
    offline_wer: float,
) -> list[Cell]:
    lags_s = [lag for each, h in zip(every, heard, strict=True) for lag in h.lags_s(each)]
    early = [h.early(each) for each, h in zip(every, heard, strict=True)]
    error = wer([each.text for each in every], [h.text for h in heard])
    return [
        delay,
        count,
        round(100 * error, 1),
        round(error / offline_wer, 2),
        round(statistics.median(lags_s), 2),
        round(float(np.percentile(lags_s, 95)), 2),
        f"{sum(e for e, _ in early) / max(1, sum(a for _, a in early)):.0%}",
        sum(h.taken_back for h in heard),
        sum(len(list(h.of(kind))) for h in heard for kind in (Notice, TurnFailed)),
        f"{load:.0%}",
    ]


COLUMNS = [
    "delay",
    "sessions",
    "WER %",
    "to offline",
    "lag p50 s",
    "lag p95 s",
    "sent early",
    "turns taken back",
    "notices",
    "recogniser busy",
]


def bench(args: argparse.Namespace) -> Results:
    every = speakers(40 if args.quick else args.clips)
    cost = modelled if args.costs == "modelled" else measured(args.scale)
    with ExitStack() as stack:
        vad = loaded(stack, "silero", "package:silero_vad", 1)
        asr = loaded(stack, "whisper", WHISPER, args.threads)
        texts = [asyncio.run(offline(each, vad, asr)) for each in every]
        offline_wer = wer([each.text for each in every], texts)
        print(f"offline: {100 * offline_wer:.1f} %", flush=True)
        rows, said = [], {}
        for delay in args.delays:
            for count in args.sessions:
                heard, load = live(every, (vad, asr), cost, delay, count)
                rows.append(row(delay, count, every, heard, load, offline_wer))
                said[f"{delay} {count}"] = [h.text for h in heard]
                print(*rows[-1], sep="\t", flush=True)
    words = sum(len(normalise(each.text).split()) for each in every)
    return Results(
        name="live_words",
        title="Words of live speech",
        findings=[f"Offline {100 * offline_wer:.1f} % of {words:,} words are wrong."],
        tables=[Table("Live, by delay and sessions side by side", COLUMNS, rows)],
        notes=["Lag: from a turn's last sample to its last event."],
        raw={"reference": [each.text for each in every], "offline": texts, "live": said},
    )


if __name__ == "__main__":
    run(
        __doc__,
        bench,
        {
            "quick": flag("fewer clips"),
            "clips": value(240, "how many"),
            "delays": some(DELAYS, "only these"),
            "sessions": {"nargs": "+", "type": int, "default": [1, 8], "help": "side by side"},
            "costs": {"choices": ["measured", "modelled"], "default": "measured"},
            "scale": value(1.0, "of measured costs, where others use the machine, too"),
            "threads": value(1),
        },
    )
