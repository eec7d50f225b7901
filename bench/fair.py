"""Who waits behind somebody else's long recordings: a short clip alone, and beside four of them.

Recordings of ten minutes go through transcription side by side; meanwhile a clip of a second is
asked for again and again. What each clip waited for its decoding stands in its ``Server-Timing``;
the longest batch is read from the models' statistics. A second crowd of recordings shows what the
ingress holds at most. The clip, the recordings and their MP3 files are made here.

    python -m bench.fair [--rounds 3] [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import yaml

from bench.growth.memory import Peak
from bench.results import Cell, Results, Spread, Table, write
from bench.serving import CONFIG
from models.audio.encode import encode
from models.types import SAMPLE_RATE_HZ, Audio
from tests.support.server import Running, config_on_a_free_port, running
from tests.support.speech import clip, clips

CLIP, CLIP_S = "en-vm-invalid-password", 1.0
PAUSE_S = 0.8
LONG_FILES, CROWD = 4, 20
LONG_S, QUICK_S = 595.0, 120.0  # the server takes ten minutes, and MP3 adds to what it holds
CROWD_S = 60.0  # after the clip's answer
ALONE = 10  # clips before each round
BETWEEN_S = 1.0  # from one clip's answer to the next clip
WATCH_S = 0.1  # between looks at the models' statistics
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round of two-minute recordings")
    options = parser.parse_args()
    rounds, long_s = (1, QUICK_S) if options.quick else (options.rounds, LONG_S)
    with tempfile.TemporaryDirectory() as folder:
        path = config_on_a_free_port(Path(folder), recognition_alone())
        with running(path) as server:
            write(asyncio.run(measure(server, rounds, long_s)))


def recognition_alone() -> dict[str, Any]:
    """The default configuration without the models that transcription does not ask."""
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    (application,) = config["applications"]
    for part in (application["args"]["models"], _batching(application)):
        for name in set(part) - set(MODELS):
            del part[name]
    application["args"]["aliases"] = {}
    return config


def _batching(application: dict[str, Any]) -> dict[str, Any]:
    (ingress,) = application["deployments"]
    policies: dict[str, Any] = ingress["user_config"]["batching"]
    return policies


def short_file() -> bytes:
    samples = clip(CLIP).samples()[: round(CLIP_S * SAMPLE_RATE_HZ)]
    return encode(Audio(samples), "mp3")


def long_file(length_s: float) -> bytes:
    """English speech with pauses, again and again."""
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ), np.int16)
    once = np.concatenate([part for clip in clips("en") for part in (clip.samples(), pause)])
    return encode(Audio(np.resize(once, round(length_s * SAMPLE_RATE_HZ))), "mp3")


async def measure(server: Running, rounds: int, long_s: float) -> Results:
    short, long = short_file(), long_file(long_s)
    timeout = aiohttp.ClientTimeout(total=3600)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(server.url, timeout=timeout, connector=connector) as session:
        await ask(session, long_file(QUICK_S / 4))  # warm-up, of what long windows take, too
        taken = [await one_round(session, short, long) for _ in range(rounds)]
        peak = Peak(server, "ingress")
        with peak:
            crowd_s, refused = await crowd(session, short, long)
    return results(taken, long_s, peak.of("ingress"), crowd_s, refused)


async def one_round(session: aiohttp.ClientSession, short: bytes, long: bytes) -> Round:
    taken = Round()
    taken.alone = [await ask(session, short) for _ in range(ALONE)]
    started = time.perf_counter()
    async with watching(session, taken.longest_batch_s):
        recordings = asyncio.gather(*(ask(session, long) for _ in range(LONG_FILES)))
        while not recordings.done():
            await asyncio.wait([recordings], timeout=BETWEEN_S)
            if not recordings.done():
                taken.beside.append(await ask(session, short, started))
        await recordings
    taken.long_s = time.perf_counter() - started
    print(f"alone {taken.alone[-1]}, beside {taken.beside[:3]}", flush=True)
    return taken


class Refused(Exception):
    """The server has as much to do as it takes."""


async def crowd(session: aiohttp.ClientSession, short: bytes, long: bytes) -> tuple[float, int]:
    """Many recordings at once, and a clip among them: its time, and how many were refused."""
    recordings = [asyncio.ensure_future(ask(session, long)) for _ in range(CROWD)]
    await asyncio.sleep(BETWEEN_S)
    taken = await ask(session, short)
    await asyncio.wait(recordings, timeout=CROWD_S)
    for recording in recordings:  # who leaves gives back what is held for it
        recording.cancel()
    outcomes = await asyncio.gather(*recordings, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception) and not isinstance(outcome, Refused):
            raise outcome
    return taken.whole_ms / 1000, sum(isinstance(outcome, Refused) for outcome in outcomes)


async def ask(session: aiohttp.ClientSession, content: bytes, started: float | None = None) -> Clip:
    form = aiohttp.FormData({"response_format": "verbose_json", "language": "en"})
    form.add_field("file", content, filename="speech.mp3", content_type="audio/mpeg")
    sent = time.perf_counter()
    async with session.post("/v1/audio/transcriptions", data=form) as answer:
        text = await answer.text()
        if answer.status == 503:
            raise Refused(text)
        assert answer.status == 200, text
        took_ms = (time.perf_counter() - sent) * 1000
        stages = dict(STAGE.findall(answer.headers["server-timing"]))
    return Clip(float(stages["decode"]), took_ms, sent - (started or sent))


@asynccontextmanager
async def watching(
    session: aiohttp.ClientSession, longest_s: dict[str, float]
) -> AsyncIterator[None]:
    """Note each model's longest batch while a block runs: how far its busy time goes at once."""

    async def watch(model: str) -> None:
        batches, busy_s = await _statistics(session, model)
        while True:
            await asyncio.sleep(WATCH_S)
            now = await _statistics(session, model)
            if now[0] > batches:
                mean_s = (now[1] - busy_s) / (now[0] - batches)
                longest_s[model] = max(longest_s.get(model, 0.0), mean_s)
                batches, busy_s = now

    watches = [asyncio.ensure_future(watch(model)) for model in MODELS]
    try:
        yield
    finally:
        for task in watches:
            task.cancel()
        await asyncio.gather(*watches, return_exceptions=True)


async def _statistics(session: aiohttp.ClientSession, model: str) -> tuple[int, float]:
    """Batches so far, and the seconds that they took."""
    async with session.get(f"/v2/models/{model}/stats") as answer:
        (found,) = (await answer.json())["model_stats"]
    nanoseconds = sum(size["compute_infer"]["ns"] for size in found["batch_stats"])
    return found["execution_count"], nanoseconds / 1e9


def results(
    rounds: Sequence[Round],
    long_s: float,
    ingress_mb: tuple[float, float, float],
    crowd_s: float,
    refused: int,
) -> Results:
    rows: list[Sequence[Cell]] = []
    for number, taken in enumerate(rounds, 1):
        longest_s = max(taken.longest_batch_s.values())
        for where, asked in (("alone", taken.alone), ("beside", taken.beside)):
            decode, whole = _of(asked, "decode_ms"), _of(asked, "whole_ms")
            rows.append([number, where, len(asked), decode.text(), whole.text(0)])
        rows[-1] = [*rows[-1], round(longest_s, 2), round(taken.long_s, 1)]
        rows[-2] = [*rows[-2], None, None]
    before_mb, peak_mb, after_mb = (round(mb) for mb in ingress_mb)
    memory: list[Cell] = [CROWD, refused, before_mb, peak_mb, after_mb, round(crowd_s, 2)]
    return Results(
        name="fair",
        title="Short beside long",
        findings=[finding(rounds)],
        tables=[
            Table(
                f"A clip of {CLIP_S:g} s alone and beside {LONG_FILES} recordings of "
                f"{long_s / 60:.0f} min; median (least to most)",
                [
                    *("round", "clip", "clips", "decode ms", "whole answer ms"),
                    *("longest batch s", "recordings s"),
                ],
                rows,
            ),
            Table(
                "Many recordings at once: the ingress' own memory, and a clip's answer among them",
                ["recordings", "of them refused", "USS MB before", "at most", "after", "clip s"],
                [memory],
            ),
        ],
        notes=["A clip is sent a second after the last one's answer, all the while."],
        raw={"rounds": [asdict(taken) for taken in rounds]},
    )


def finding(rounds: Sequence[Round]) -> str:
    decode, over = [], []
    for taken in rounds:
        longest_s = max(taken.longest_batch_s.values())
        decode.append(_of(taken.beside, "decode_ms").median / _of(taken.alone, "decode_ms").median)
        alone_ms = _of(taken.alone, "whole_ms").median
        over += [(each.whole_ms - alone_ms) / 1000 / longest_s for each in taken.beside]
    within = sum(each <= 1 for each in over) / len(over)
    return (
        f"Beside the recordings the clip's decoding takes {statistics.median(decode):.1f} times as "
        f"long as alone (the middle of {len(rounds)} rounds); its whole answer takes longer by "
        f"{statistics.median(over):.2f} of the longest batch ({max(over):.2f} at most), by no more "
        f"than one in {within:.0%} of {len(over)} answers."
    )


def _of(asked: Sequence[Clip], what: str) -> Spread:
    return Spread.of([getattr(each, what) for each in asked])


if __name__ == "__main__":
    main()
