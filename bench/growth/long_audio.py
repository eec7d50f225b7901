"""Long recordings: their time, what the processes hold meanwhile, and who else waits for them.

Real speech, repeated with pauses, goes through transcription and through the graph without
speech. A probe asks for ``/health/live`` every 100 ms: its latency is the ingress' event loop's.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import numpy as np

from bench.growth.configs import Config, Started, default_config, serving
from bench.growth.memory import Peak
from bench.results import Cell, Table
from load.figures import percentile
from models.audio.encode import encode
from models.types import SAMPLE_RATE_HZ, Audio
from tests.support.fakes import FAKE_ASR
from tests.support.speech import clips

PAUSE_S = 0.8
PROBE_S = 0.1
IDLE_S = 5.0  # of probes before, when nothing runs
BYTES_A_S = 2 * SAMPLE_RATE_HZ  # int16
LIMITS = {"max_audio_s": 3700, "request_timeout_s": 3600}
TRANSCRIBE = ("transcription", "/v1/audio/transcriptions", {"response_format": "verbose_json"})
TRANSLATE = (
    "graph without speech",
    "/v1/speech/translations",
    {"target_language": "pt", "audio_format": "none"},
)
FAKE = "transcription, fake recogniser"


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
        """What the ingress held at most, in int16 copies of the audio."""
        before, peak, _ = self.ingress_mb
        return (peak - before) * 1e6 / (60 * self.minutes * BYTES_A_S)


class Probe:
    """Asks whether the ingress lives, every 100 ms, on a thread and connection of its own."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc
        self._over = Event()
        self._thread = Thread(target=self._ask, daemon=True)
        self._latencies_ms: list[float] = []

    def __enter__(self) -> Probe:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def latencies_ms(self) -> list[float]:
        """Ascending."""
        return sorted(self._latencies_ms)

    def _ask(self) -> None:
        connection = HTTPConnection(self._address, timeout=60)
        while not self._over.wait(PROBE_S):
            started = time.perf_counter()
            connection.request("GET", "/health/live")
            connection.getresponse().read()
            self._latencies_ms.append((time.perf_counter() - started) * 1000)
        connection.close()


def recording(minutes: int) -> bytes:
    """English speech as a WAV file: the clips with pauses, again and again."""
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ), np.int16)
    once = np.concatenate([part for clip in clips("en") for part in (clip.samples(), pause)])
    return encode(Audio(np.resize(once, 60 * minutes * SAMPLE_RATE_HZ)), "wav")


def fake_config() -> Config:
    """The real detector, and a recogniser that takes no time: what the server itself does."""
    config = default_config(**LIMITS)
    (application,) = config["applications"]
    models = application["args"]["models"]
    application["args"]["models"] = {"vad": models["vad"], "asr": {"engine": FAKE_ASR}}
    application["args"]["aliases"] = {}
    policies = application["deployments"][0]["user_config"]["batching"]
    application["deployments"][0]["user_config"]["batching"] = {
        name: policies[name] for name in ("vad", "asr")
    }
    return config


def measure(quick: bool, full: bool) -> list[Long]:
    """Every recording, one after another; the first of each server warms it up."""
    found = []
    with serving(fake_config()) as started:
        _run(started, TRANSCRIBE, 1)
        found += [_run(started, (FAKE, *TRANSCRIBE[1:]), minutes) for minutes in (1, 10, 60)]
    if quick:
        return found
    with serving(default_config(**LIMITS)) as started:
        _run(started, TRANSCRIBE, 1)
        lengths = (1, 10, 60) if full else (1, 10)
        found += [_run(started, TRANSCRIBE, minutes) for minutes in lengths]
        found.append(_run(started, TRANSLATE, 60 if full else 10))
    return found


def _run(started: Started, how: tuple[str, str, dict[str, str]], minutes: int) -> Long:
    what, path, fields = how
    content = recording(minutes)
    with Probe(started.url) as idle:
        time.sleep(IDLE_S)
    peak = Peak(started.server, "ingress", "model replicas")
    begun = time.perf_counter()
    with peak, Probe(started.url) as probe:
        answer = asyncio.run(_send(started.url + path, content, fields))
        took_s = time.perf_counter() - begun
    found = Long(
        what,
        minutes,
        took_s,
        peak.of("ingress"),
        peak.of("model replicas"),
        probe.latencies_ms(),
        idle.latencies_ms(),
        len(answer["segments"]),
    )
    print(
        f"{what}, {minutes} min: {took_s:.1f} s, ingress MB {found.ingress_mb}, replicas "
        f"{found.replicas_mb}, probe p99 {percentile(found.probes_ms, 99):.1f} ms, max "
        f"{found.probes_ms[-1]:.1f}, {found.segments} segments",
        flush=True,
    )
    return found


async def _send(url: str, content: bytes, fields: dict[str, str]) -> Any:
    form = aiohttp.FormData(fields)
    form.add_field("file", io.BytesIO(content), filename="long.wav", content_type="audio/wav")
    timeout = aiohttp.ClientTimeout(total=LIMITS["request_timeout_s"])
    async with (
        aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session,
        session.post(url, data=form) as answer,
    ):
        return await answer.json()


def table(found: Sequence[Long]) -> Table:
    columns = ["request", "audio min", "s", "real-time factor", "segments"]
    columns += ["ingress USS MB before", "at most", "after", "at most, in copies of the audio"]
    columns += ["replicas USS MB before", "at most", "probe ms idle p99", "meanwhile p99", "max"]
    rows = []
    for each in found:
        idle_ms, probe_ms = (percentile(p, 99) for p in (each.idle_probes_ms, each.probes_ms))
        row: list[Cell] = [each.what, each.minutes, round(each.took_s, 1)]
        row += [f"{each.real_time_factor:.3f}", each.segments]
        row += [round(mb) for mb in each.ingress_mb]
        row += [f"{each.ingress_copies:.1f}", *(round(mb) for mb in each.replicas_mb[:2])]
        row += [round(ms, 1) for ms in (idle_ms, probe_ms, each.probes_ms[-1])]
        rows.append(row)
    return Table("Long recordings", columns, rows)


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
