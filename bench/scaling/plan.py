"""From the measured costs of each stage to machines for so many users, on paper.

Times of stages come from ``docs/bench``; what is no measurement is a named assumption.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from bench.results import FOLDER, Cell, Table

GPU_FIGURES = "gpu-h200"
USERS = (1_000, 10_000, 100_000, 1_000_000)


@dataclass(frozen=True)
class Assumed:
    """What nobody has measured here."""

    speech_s_an_hour: float = 180  # of a user who sends recordings, in the busiest hour
    utterance_s: float = 5
    sentences: float = 2  # of an utterance, each a translation and a spoken sentence
    live_share: float = 0.01  # of the users who speak in a live session at the same time
    live_updates_s: float = 2  # recognitions a second of one who speaks: a step of 0.5 s
    live_clauses_s: float = 0.5  # translations a second of one who speaks
    load: float = 0.7  # of what a machine could do, so that bursts wait for little
    requests_an_utterance: float = 1
    regions: int = 3
    cell_nodes: int = 50  # machines of one Ray cluster; more users get more clusters


@dataclass(frozen=True)
class Stage:
    """One stage of a machine: where its figures stand, and the rows of its batches."""

    table: str
    variant: str
    rows: int  # of ``deploy/serve_config.gpu.yaml``
    item: str

    def rate(self) -> float:
        """Return items/s with full batches, on the line between the measured sizes around."""
        measured = _batch_ms(self.table, self.variant, self.item)
        below = max(size for size in measured if size <= self.rows)
        above = min(size for size in measured if size >= self.rows)
        part = (self.rows - below) / (above - below) if above > below else 0.0
        took_ms = measured[below] + part * (measured[above] - measured[below])
        return 1000 * self.rows / took_ms


VAD = Stage("Silero VAD", "onnxruntime 1.31.1 on cpu", 16, "5 s")
ASR = Stage("Whisper turbo", "transformers, float16, window 10 s", 16, "5 s, 20 tokens")
NMT = Stage("M2M100-418M", "m2m100, float16", 64, "a sentence, 20 tokens")
TTS = Stage("YourTTS", "torch, float32", 16, "a sentence")
STAGES: Mapping[str, Stage] = {
    "detection, on the CPU": VAD,
    "recognition": ASR,
    "translation": NMT,
    "speech": TTS,
}


@dataclass(frozen=True)
class Machine:
    """What one machine with an H200 carries, if its stages took turns on the GPU."""

    text: float  # utterances/s, heard and translated
    spoken: float  # and spoken
    live: float  # speakers, heard and translated

    @classmethod
    def of(cls, assumed: Assumed) -> Machine:
        vad, asr, nmt, tts = (stage.rate() for stage in STAGES.values())
        text_s = 1 / asr + assumed.sentences / nmt
        live_s = assumed.live_updates_s / asr + assumed.live_clauses_s / nmt
        return cls(
            text=assumed.load * min(vad, 1 / text_s),
            spoken=assumed.load * min(vad, 1 / (text_s + assumed.sentences / tts)),
            live=assumed.load / live_s,
        )


@dataclass(frozen=True)
class Plan:
    """The machines of one number of users."""

    users: int
    utterances_s: float
    speakers: float  # at the same time, live
    machines: int  # for both, in all regions, with none lost
    with_spare: int  # so that the others carry a lost region's
    ingresses: int  # processes that the requests need; each machine has one
    clusters: int


def plan(users: int, assumed: Assumed | None = None) -> Plan:
    assumed = assumed or Assumed()
    machine = Machine.of(assumed)
    utterances_s = users * assumed.speech_s_an_hour / assumed.utterance_s / 3600
    speakers = users * assumed.live_share
    needed = utterances_s / machine.spoken + speakers / machine.live
    a_region = math.ceil(needed / (assumed.regions - 1))
    requests_s = utterances_s * assumed.requests_an_utterance
    return Plan(
        users=users,
        utterances_s=utterances_s,
        speakers=speakers,
        machines=math.ceil(needed),
        with_spare=a_region * assumed.regions,
        ingresses=math.ceil(requests_s / (assumed.load * ingress_rate())),
        clusters=assumed.regions * math.ceil(a_region / assumed.cell_nodes),
    )


def ingress_rate() -> float:
    """Return the short requests/s of one ingress process, measured."""
    table = next(t for t in _figures("overhead")["tables"] if t["title"] == "256 callers")
    row = next(row for row in table["rows"] if row[0] == "Dragoman, raw audio")
    return float(row[1].split()[0].replace(",", ""))


def tables(*users: int) -> list[Table]:
    """Make the tables of ``docs/scaling.md``."""
    assumed = Assumed()
    machine = Machine.of(assumed)
    stages: list[list[Cell]] = [[name, stage.rows, stage.rate()] for name, stage in STAGES.items()]
    stages += [
        ["utterances of 5 s to text", None, machine.text],
        ["utterances of 5 s to speech", None, machine.spoken],
        ["live speakers, as text", None, machine.live],
    ]
    plans = Table.of(
        "Machines with one H200",
        [plan(count) for count in users],
        {
            "users": lambda one: one.users,
            "utterances/s": lambda one: one.utterances_s,
            "live speakers": lambda one: one.speakers,
            "machines": lambda one: one.machines,
            "with a region to spare": lambda one: one.with_spare,
            "ingress processes needed": lambda one: one.ingresses,
            "clusters": lambda one: one.clusters,
        },
    )
    return [Table("One machine", ["what", "rows a batch", "a second"], stages), plans]


@cache
def _figures(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return content


def _batch_ms(title: str, variant: str, item: str) -> dict[int, float]:
    """Return what a batch of each measured size takes."""
    table = next(t for t in _figures(GPU_FIGURES)["tables"] if t["title"] == title)
    return {
        int(row[1]): float(row[3].split()[0].replace(",", ""))
        for row in table["rows"]
        if row[0] == variant and row[2] == item
    }
