"""Speaker embeddings: single clips by length, and batches of 1 s beside one by one.

    python -m bench.speaker [--device auto|cpu|cuda] [--threads 2] [--rounds 3] [--json FILE]

GE2E runs with its real weights, ECAPA-TDNN at its published size with random values: its speed
is real, its embeddings are not. "Today" is the service that Dragoman replaces, as its own
documentation says. Each figure is the median of the rounds, with the least and the most.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from bench import machine
from models.devices.device import DeviceRequest
from models.registry import ENGINES
from models.runtime import ItemError, Runtime, RuntimeSettings
from models.types import SAMPLE_RATE_HZ, SpeakerItem
from tests.support.published.ecapa import write_ecapa
from tests.support.speech import clips

DeviceName: TypeAlias = Literal["cpu", "cuda"]

DURATIONS_S = (1, 5, 10)
BATCH_SIZES = (1, 8, 16, 32)
BATCH_CLIP_S = 1

# Today's service, ms: a single clip by its length (least, most), and a batch of 1 s clips.
TODAY_SINGLE_MS: dict[DeviceName, dict[int, tuple[int, int]]] = {
    "cpu": {1: (50, 100), 5: (200, 400), 10: (400, 800)},
    "cuda": {1: (5, 10), 5: (20, 40), 10: (40, 80)},
}
TODAY_BATCH_MS: dict[DeviceName, dict[int, int]] = {
    "cpu": {1: 100, 8: 800, 16: 1_600, 32: 3_200},
    "cuda": {1: 10, 8: 40, 16: 60, 32: 100},
}


@dataclass(frozen=True)
class Spread:
    """Of one thing measured some times, in ms."""

    median_ms: float
    least_ms: float
    most_ms: float

    @classmethod
    def of(cls, times_s: Sequence[float]) -> Spread:
        times_ms = [1000 * time_s for time_s in times_s]
        return cls(statistics.median(times_ms), min(times_ms), max(times_ms))

    def __str__(self) -> str:
        return f"{self.median_ms:.1f} ({self.least_ms:.1f} to {self.most_ms:.1f})"


@dataclass(frozen=True)
class Single:
    """One clip."""

    engine: str
    device: DeviceName
    duration_s: int
    took: Spread

    def row(self) -> str:
        least, most = TODAY_SINGLE_MS[self.device][self.duration_s]
        return (
            f"| {self.engine} | {self.device} | {self.duration_s} | {self.took} | {least}-{most} |"
        )


@dataclass(frozen=True)
class Batch:
    """Clips of 1 s as one batch, and the same one by one."""

    engine: str
    device: DeviceName
    batch_size: int
    together: Spread
    one_by_one: Spread

    @property
    def ratio(self) -> float:
        return self.one_by_one.median_ms / self.together.median_ms

    def row(self) -> str:
        a_clip_ms = self.together.median_ms / self.batch_size
        today_ms = TODAY_BATCH_MS[self.device][self.batch_size]
        return (
            f"| {self.engine} | {self.device} | {self.batch_size} | {self.together} "
            f"| {a_clip_ms:.1f} | {self.one_by_one} | {self.ratio:.2f} | {today_ms} |"
        )


def speech(count: int, duration_s: int) -> list[SpeakerItem]:
    """``count`` pieces of real speech, one after the other, from the start again at its end."""
    recording = np.concatenate([clip.samples() for clip in clips()])
    size = duration_s * SAMPLE_RATE_HZ
    return [SpeakerItem(piece) for piece in np.resize(recording, (count, size))]


def timed(runtime: Runtime[Any, Any], batches: Sequence[Sequence[SpeakerItem]]) -> float:
    """Seconds that the batches take, one after the other."""
    started_s = time.perf_counter()
    results = [result for batch in batches for result in runtime.run(batch)]
    took_s = time.perf_counter() - started_s
    for result in results:
        if isinstance(result, ItemError):
            raise result.error
    return took_s


def measure_singles(
    runtime: Runtime[Any, Any], engine: str, device: DeviceName, rounds: int
) -> list[Single]:
    items = {duration_s: speech(1, duration_s) for duration_s in DURATIONS_S}
    times: dict[int, list[float]] = {duration_s: [] for duration_s in DURATIONS_S}
    for _ in range(rounds):
        for duration_s, batch in items.items():
            times[duration_s].append(timed(runtime, [batch]))
    return [Single(engine, device, key, Spread.of(took)) for key, took in times.items()]


def measure_batches(
    runtime: Runtime[Any, Any], engine: str, device: DeviceName, rounds: int
) -> list[Batch]:
    """Together and one by one in turn, so that a busy machine is busy for both."""
    found = []
    for batch_size in BATCH_SIZES:
        items = speech(batch_size, BATCH_CLIP_S)
        together, alone = [], []
        timed(runtime, [items])  # the first of a shape is slow
        for _ in range(rounds):
            together.append(timed(runtime, [items]))
            alone.append(timed(runtime, [[item] for item in items]))
        found.append(Batch(engine, device, batch_size, Spread.of(together), Spread.of(alone)))
    return found


@contextmanager
def loaded(
    engine: str, weights: str, device: DeviceName, threads: int
) -> Iterator[Runtime[Any, Any]]:
    request = DeviceRequest(device, float(device == "cuda"), threads)
    settings = RuntimeSettings(engine, weights, request)
    runtime = ENGINES[engine].create(settings)
    _, report = runtime.load()
    runtime.warm_up()
    memory_mb = report.memory_bytes / 1e6
    print(f"{engine}: {report.library}, {report.precision} on {report.gpu_name or 'the CPU'}, "
          f"{memory_mb:.0f} MB in use once loaded")  # fmt: skip
    try:
        yield runtime
    finally:
        runtime.close()


def devices(asked: str) -> list[DeviceName]:
    """auto: the CPU, and CUDA where there is one."""
    import torch

    if asked == "cuda":
        return ["cuda"]
    return ["cpu", "cuda"] if asked == "auto" and torch.cuda.is_available() else ["cpu"]


def print_tables(singles: Sequence[Single], batches: Sequence[Batch]) -> None:
    print("\n| engine | device | audio s | ms | today ms |")
    print("|---|---|---|---|---|")
    print("\n".join(line.row() for line in singles))
    print(
        "\n| engine | device | batch | total ms | ms a clip | one by one ms | ratio "
        "| today total ms |"
    )
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(line.row() for line in batches))
    print_device_ratios(batches)


def print_device_ratios(batches: Sequence[Batch]) -> None:
    """How many times faster CUDA is, where both were measured."""
    total_ms = {(b.engine, b.device, b.batch_size): b.together.median_ms for b in batches}
    both = [
        b for b in batches if b.device == "cuda" and (b.engine, "cpu", b.batch_size) in total_ms
    ]
    if not both:
        return
    print("\n| engine | batch | CPU / CUDA | today |")
    print("|---|---|---|---|")
    for line in both:
        ratio = total_ms[line.engine, "cpu", line.batch_size] / line.together.median_ms
        size = line.batch_size
        today = TODAY_BATCH_MS["cpu"][size] / TODAY_BATCH_MS["cuda"][size]
        print(f"| {line.engine} | {size} | {ratio:.1f} | {today:.0f} |")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    described = f"{machine.describe()}; {args.threads} threads, {args.rounds} rounds"
    print(f"machine: {described}\n")
    singles: list[Single] = []
    batches: list[Batch] = []
    with tempfile.TemporaryDirectory() as folder:
        write_ecapa(Path(folder))
        weights = {"ge2e": "package:resemblyzer", "ecapa": f"path:{folder}"}
        for device in devices(args.device):
            for engine, reference in weights.items():
                with loaded(engine, reference, device, args.threads) as runtime:
                    singles += measure_singles(runtime, engine, device, args.rounds)
                    batches += measure_batches(runtime, engine, device, args.rounds)
    print_tables(singles, batches)
    if args.json:
        figures = {
            "machine": described,
            "singles": [asdict(line) for line in singles],
            "batches": [asdict(line) | {"ratio": line.ratio} for line in batches],
        }
        args.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
