"""A short clip beside long recordings: how much longer its caller waits for the answer.

    python -m bench.fair [--rounds 3] [--quick]

Recordings of ten minutes go through transcription side by side; meanwhile a clip of a second is
asked for again and again. What each clip waited for its decoding stands in its ``Server-Timing``;
the longest batch is read from the models' statistics. A second crowd of recordings shows what the
ingress holds at most. The clip, the recordings and their MP3 files are made here.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field

from bench.command import flag, run, value
from bench.long_speech import long_speech
from bench.memory import INGRESS, Peak
from bench.results import Cell, Results, Spread, Table
from bench.serving import BenchFailed, Server, default_config, serving
from load.connections import Connections, connected, prepared
from models.audio.encode import encode
from models.types import SAMPLE_RATE_HZ, Audio
from tests.support.speech import clip

CLIP, CLIP_S = "en-vm-invalid-password", 1.0
LONG_FILES, CROWD = 4, 20
LONG_S, QUICK_S = 595.0, 120.0  # the server takes ten minutes, and MP3 adds to what it holds
CROWD_S = 60.0  # after the clip's answer
ALONE = 10  # clips before each round
BETWEEN_S = 1.0  # from one clip's answer to the next clip
WATCH_S = 0.1  # between looks at the models' statistics
ANSWER_S = 3600.0
MODELS = ("vad", "asr")
STAGE = re.compile(r"([\w-]+);dur=([\d.]+)")


@dataclass(frozen=True)
class Clip:
    """One clip's answer, by the server's own times and by the caller's."""

    decode_ms: float
    whole_ms: float
    sent_s: float  # after the long recordings, where there are any


@dataclass
class Round:
    """The clip alone, and beside the long recordings."""

    alone: list[Clip] = field(default_factory=list)
    beside: list[Clip] = field(default_factory=list)
    longest_batch_s: dict[str, float] = field(default_factory=dict)  # of each model
    long_s: float = 0.0  # until the last recording's answer

    @property
    def longest_s(self) -> float:
        return max(self.longest_batch_s.values())

    def rows(self, number: int) -> Iterator[Sequence[Cell]]:
        for where, asked in (("alone", self.alone), ("beside", self.beside)):
            decode, whole = of(asked, "decode_ms"), of(asked, "whole_ms")
            row: list[Cell] = [number, where, len(asked), decode.text(), whole.text(0)]
            last: list[Cell] = [round(self.longest_s, 2), round(self.long_s, 1)]
            yield row + (last if where == "beside" else [None, None])


class Refused(BenchFailed):
    """The server has as much to do as it takes."""


@dataclass(frozen=True)
class Asking:
    """Ask one server for transcriptions of the short clip and of the long recording."""

    server: Server
    connections: Connections
    short: bytes
    long: bytes

    async def ask(self, request: bytes, started_s: float | None = None) -> Clip:
        sent_s = time.perf_counter()
        reply = await self.connections.send(request)
        if reply.status == 503:
            raise Refused(f"503: {reply.body[:300]!r}")
        if reply.status != 200:
            raise BenchFailed(f"status {reply.status}: {reply.body[:300]!r}")
        took_ms = (time.perf_counter() - sent_s) * 1000
        stages = dict(STAGE.findall(reply.headers["server-timing"]))
        return Clip(float(stages["decode"]), took_ms, sent_s - (started_s or sent_s))

    async def one_round(self) -> Round:
        taken = Round(alone=[await self.ask(self.short) for _ in range(ALONE)])
        started_s = time.perf_counter()
        async with self.watching(taken.longest_batch_s):
            recordings = asyncio.gather(*(self.ask(self.long) for _ in range(LONG_FILES)))
            while not recordings.done():
                await asyncio.wait([recordings], timeout=BETWEEN_S)
                if not recordings.done():
                    taken.beside.append(await self.ask(self.short, started_s))
            await recordings
        taken.long_s = time.perf_counter() - started_s
        print(f"alone {taken.alone[-1]}, beside {taken.beside[:3]}", flush=True)
        return taken

    async def crowd(self) -> tuple[float, int]:
        """Ask for many recordings and a clip: the clip's time, and how many were refused."""
        recordings = [asyncio.ensure_future(self.ask(self.long)) for _ in range(CROWD)]
        await asyncio.sleep(BETWEEN_S)
        taken = await self.ask(self.short)
        await asyncio.wait(recordings, timeout=CROWD_S)
        for recording in recordings:  # who leaves gives back what is held for it
            recording.cancel()
        outcomes = await asyncio.gather(*recordings, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, Refused):
                raise outcome
        return taken.whole_ms / 1000, sum(isinstance(outcome, Refused) for outcome in outcomes)

    @asynccontextmanager
    async def watching(self, longest_s: dict[str, float]) -> AsyncIterator[None]:
        """Note each model's longest batch during a block: how far its busy time goes at once."""

        async def watch(model: str) -> None:
            before = await asyncio.to_thread(self.server.statistics, model)
            while True:
                await asyncio.sleep(WATCH_S)
                now = await asyncio.to_thread(self.server.statistics, model)
                if ran := now["batches"] - before["batches"]:
                    mean_s = (now["busy_s"] - before["busy_s"]) / ran
                    longest_s[model] = max(longest_s.get(model, 0.0), mean_s)
                    before = now

        watches = [asyncio.ensure_future(watch(model)) for model in MODELS]
        try:
            yield
        finally:
            for task in watches:
                task.cancel()
            await asyncio.gather(*watches, return_exceptions=True)


def request(server: Server, duration_s: float) -> bytes:
    """Ask for the short clip, or for speech of some minutes, as MP3."""
    if duration_s <= CLIP_S:
        samples = clip(CLIP).samples()[: round(CLIP_S * SAMPLE_RATE_HZ)]
    else:
        samples = long_speech(duration_s)
    return prepared(
        f"{server.url}/v1/audio/transcriptions",
        data={"response_format": "verbose_json", "language": "en"},
        files={"file": ("speech.mp3", encode(Audio(samples), "mp3"), "audio/mpeg")},
    )


async def measure(server: Server, rounds: int, long_s: float) -> Results:
    short, long, warm_up = (request(server, s) for s in (CLIP_S, long_s, QUICK_S / 4))
    async with connected(server.url, ANSWER_S) as connections:
        asking = Asking(server, connections, short, long)
        await asking.ask(warm_up)  # of what long windows take, too
        taken = [await asking.one_round() for _ in range(rounds)]
        with Peak(server, INGRESS) as peak:
            crowd_s, refused = await asking.crowd()
    held_mb = [round(mb) for mb in peak.of(INGRESS)]
    return results(taken, long_s, [CROWD, refused, *held_mb, round(crowd_s, 2)])


def of(asked: Sequence[Clip], what: str) -> Spread:
    return Spread.of([getattr(each, what) for each in asked])


def results(rounds: Sequence[Round], long_s: float, crowd: Sequence[Cell]) -> Results:
    title = f"A clip of {CLIP_S:g} s alone and beside {LONG_FILES} recordings of "
    columns = ["round", "clip", "clips", "decode ms", "whole answer ms", "longest batch s"]
    return Results(
        name="fair",
        title="Short beside long",
        findings=[finding(rounds)],
        tables=[
            Table(
                f"{title}{long_s / 60:.0f} min; median (least to most)",
                [*columns, "recordings s"],
                [row for number, taken in enumerate(rounds, 1) for row in taken.rows(number)],
            ),
            Table(
                "Many recordings at once: the ingress' own memory, and a clip's answer among them",
                ["recordings", "of them refused", "USS MB before", "at most", "after", "clip s"],
                [crowd],
            ),
        ],
        notes=["A clip is sent a second after the last one's answer, all the while."],
        raw={"rounds": [asdict(taken) for taken in rounds]},
    )


def finding(rounds: Sequence[Round]) -> str:
    decode, over = [], []
    for taken in rounds:
        decode.append(of(taken.beside, "decode_ms").median / of(taken.alone, "decode_ms").median)
        alone_ms = of(taken.alone, "whole_ms").median
        over += [(each.whole_ms - alone_ms) / 1000 / taken.longest_s for each in taken.beside]
    within = sum(each <= 1 for each in over) / len(over)
    return (
        f"Beside the recordings the clip's decoding takes {statistics.median(decode):.1f} times as "
        f"long as alone (the middle of {len(rounds)} rounds); its whole answer takes longer by "
        f"{statistics.median(over):.2f} of the longest batch ({max(over):.2f} at most), by no more "
        f"than one in {within:.0%} of {len(over)} answers."
    )


def bench(args: argparse.Namespace) -> Results:
    rounds, long_s = (1, QUICK_S) if args.quick else (args.rounds, LONG_S)
    with serving(default_config(only=MODELS)) as server:
        return asyncio.run(measure(server, rounds, long_s))


if __name__ == "__main__":
    run(__doc__, bench, {"quick": flag("one round of two-minute recordings"), "rounds": value(3)})
