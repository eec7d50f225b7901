"""Long recordings: their time, the memory of the processes meanwhile, and who else waits.

Real speech, repeated with pauses, goes through transcription and through the graph without
speech. A probe asks for ``/health/live`` every 100 ms: its latency is the ingress' event loop's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bench.long_speech import long_speech
from bench.memory import INGRESS, REPLICAS, Peak
from bench.probe import Probe
from bench.results import Results, Table
from bench.serving import BenchFailed, Config, Server, default_config, serving
from load.connections import Reply, connected, prepared
from load.figures import percentile
from models.audio.encode import encode
from models.types import SAMPLE_RATE_HZ, Audio
from tests.support.fakes import FAKE_ASR

PROBE_S = 0.1
IDLE_S = 5.0  # of probes before, when nothing runs
BYTES_A_S = 2 * SAMPLE_RATE_HZ  # int16
ANSWER_S = 3600
LIMITS = {"max_audio_s": 3700, "request_timeout_s": ANSWER_S}
TRANSCRIBE = ("transcription", "/v1/audio/transcriptions", {"response_format": "verbose_json"})
TRANSLATE = (
    "graph without speech",
    "/v1/speech/translations",
    {"target_language": "pt", "audio_format": "none"},
)
FAKE = ("transcription, fake recogniser", *TRANSCRIBE[1:])
NOTE = (
    "The fake recogniser takes no time: what its rows show is decoding, the real detector and "
    "the server. An int16 copy of an hour at 16 kHz is 115 MB."
)


@dataclass(frozen=True)
class Long:
    """One recording's way through the server."""

    what: str
    minutes: int
    took_s: float
    ingress_mb: tuple[float, float, float]  # USS before, at most, after
    replicas_mb: tuple[float, float, float]  # of all models together
    probes_ms: Sequence[float]  # ascending
    idle_probes_ms: Sequence[float]
    segments: int

    @property
    def real_time_factor(self) -> float:
        return self.took_s / (60 * self.minutes)

    @property
    def ingress_copies(self) -> float:
        """Return what the ingress held at most, in int16 copies of the audio."""
        before, peak, _ = self.ingress_mb
        return (peak - before) * 1e6 / (60 * self.minutes * BYTES_A_S)


def fake_config() -> Config:
    """Serve the real detector, and a recogniser that takes no time."""
    config = default_config(only=("vad", "asr"), limits=LIMITS)
    config["applications"][0]["args"]["models"]["asr"] = {"engine": FAKE_ASR}
    return config


def measure(args: argparse.Namespace) -> Results:
    """Send every recording, one after another; the first of each server warms it up."""
    with serving(fake_config()) as server:
        _run(server, TRANSCRIBE, 1)
        found = [_run(server, FAKE, minutes) for minutes in (1, 10, 60)]
    if not args.quick:
        with serving(default_config(limits=LIMITS)) as server:
            _run(server, TRANSCRIBE, 1)
            lengths = (1, 10, 60) if args.full else (1, 10)
            found += [_run(server, TRANSCRIBE, minutes) for minutes in lengths]
            found.append(_run(server, TRANSLATE, 60 if args.full else 10))
    return results(found)


def _run(server: Server, how: tuple[str, str, dict[str, str]], minutes: int) -> Long:
    what, path, fields = how
    content = encode(Audio(long_speech(60 * minutes)), "wav")
    files = {"file": ("long.wav", content, "audio/wav")}
    request = prepared(server.url + path, data=fields, files=files)
    with Probe(server.url, PROBE_S) as idle:
        time.sleep(IDLE_S)
    peak = Peak(server, INGRESS, REPLICAS)
    begun_s = time.perf_counter()
    with peak, Probe(server.url, PROBE_S) as probe:
        reply = asyncio.run(_send(server.url, request))
        took_s = time.perf_counter() - begun_s
    if reply.status != 200:
        raise BenchFailed(f"{what}, {minutes} min: {reply.status} {reply.body[:300]!r}")
    found = Long(
        what,
        minutes,
        took_s,
        peak.of(INGRESS),
        peak.of(REPLICAS),
        sorted(probe.waits_ms),
        sorted(idle.waits_ms),
        len(json.loads(reply.body)["segments"]),
    )
    print(
        f"{what}, {minutes} min: {took_s:.1f} s, ingress MB {found.ingress_mb}, replicas "
        f"{found.replicas_mb}, longest probe {found.probes_ms[-1]:.1f} ms, {found.segments} "
        "segments",
        flush=True,
    )
    return found


async def _send(url: str, request: bytes) -> Reply:
    async with connected(url, ANSWER_S) as connections:
        return await connections.send(request)


def results(found: Sequence[Long]) -> Results:
    table = Table.of(
        "Long recordings",
        found,
        {
            "request": lambda each: each.what,
            "audio min": lambda each: each.minutes,
            "s": lambda each: round(each.took_s, 1),
            "real-time factor": lambda each: f"{each.real_time_factor:.3f}",
            "segments": lambda each: each.segments,
            "ingress USS MB before": lambda each: round(each.ingress_mb[0]),
            "ingress at most": lambda each: round(each.ingress_mb[1]),
            "ingress after": lambda each: round(each.ingress_mb[2]),
            "at most, in copies of the audio": lambda each: f"{each.ingress_copies:.1f}",
            "replicas USS MB before": lambda each: round(each.replicas_mb[0]),
            "replicas at most": lambda each: round(each.replicas_mb[1]),
            "probe ms idle p99": lambda each: round(percentile(each.idle_probes_ms, 99), 1),
            "meanwhile p99": lambda each: round(percentile(each.probes_ms, 99), 1),
            "max": lambda each: round(each.probes_ms[-1], 1),
        },
    )
    raw = {"steps": [asdict(each) for each in found]}
    return Results("long", "Long audio", findings(found), [table], notes=[NOTE], raw=raw)


def findings(found: Sequence[Long]) -> list[str]:
    sentences = []
    for what in dict.fromkeys(each.what for each in found):
        runs = sorted((each for each in found if each.what == what), key=lambda e: e.minutes)
        short, long = runs[0], runs[-1]
        if long.minutes > short.minutes:
            times = long.minutes / short.minutes
            sentences.append(
                f"{what}: {times:.0f} times the audio takes "
                f"{long.took_s / short.took_s:.1f} times the time "
                f"({long.real_time_factor:.3f} of its length), and the ingress holds at most "
                f"{long.ingress_copies:.1f} int16 copies of it beyond what it held before; the "
                f"replicas hold {long.replicas_mb[1] / short.replicas_mb[1]:.2f} times as much."
            )
    return sentences
