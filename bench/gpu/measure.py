"""Measure one call: its wall time, the time in which kernels ran, its floating-point work."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from bench.results import Spread
from models.devices.device import DeviceRequest

Precision: TypeAlias = Literal["float32", "tf32", "float16", "bfloat16"]

POINT_S = 0.8  # of rounds, at each point
FEWEST_ROUNDS, MOST_ROUNDS = 3, 15


class OutOfTimeError(Exception):
    """A part has had its share of the budget."""


@contextmanager
def bounded(limit_s: float) -> Iterator[None]:
    """Raise ``OutOfTimeError`` inside, once the time is up, when Python next runs."""

    def ring(*_: object) -> None:
        raise OutOfTimeError(f"it had {limit_s:.0f} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@dataclass(frozen=True)
class Setup:
    """Say where the parts run. Without a GPU they are reduced: small models, few points."""

    on_gpu: bool
    folder: Path  # for the weights that they write
    threads: int

    @property
    def device(self) -> str:
        return "cuda" if self.on_gpu else "cpu"

    @property
    def request(self) -> DeviceRequest:
        return DeviceRequest("cuda", 1.0, self.threads) if self.on_gpu else self.cpu

    @property
    def cpu(self) -> DeviceRequest:
        return DeviceRequest("cpu", threads=self.threads)

    def weights(self, name: str) -> Path:
        """Return a folder for a model's weights, empty where they were not written yet."""
        path = self.folder / name
        path.mkdir(exist_ok=True)
        return path


@dataclass(frozen=True)
class Row:
    """A point: one batch of a model. ``None``: not measured."""

    model: str
    variant: str
    batch_size: int
    what: str  # each item is
    precision: Precision
    wall_ms: Spread
    kernels_ms: float | None = None  # in which at least one kernel ran
    gflop: float | None = None  # of the batch
    gbytes: float | None = None  # that the device must read at least: the weights, each step
    audio_s: float | None = None  # that the batch holds, or becomes
    on: str = "cuda"

    @property
    def items_a_s(self) -> float:
        return 1000 * self.batch_size / self.wall_ms.median

    @property
    def busy(self) -> float | None:
        """Return the share of the wall time in which kernels ran."""
        return None if self.kernels_ms is None else min(1.0, self.kernels_ms / self.wall_ms.median)

    @property
    def tflops(self) -> float | None:
        return None if self.gflop is None else self.gflop / self.wall_ms.median


@dataclass
class Found:
    """Collect what a part found while it goes on, so that what was measured stays."""

    rows: list[Row] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    peak_bytes: int | None = None  # of PyTorch on the device

    def add(self, row: Row) -> None:
        self.rows.append(row)
        busy = "-" if row.busy is None else f"{row.busy:.0%}"
        print(
            f"  {row.model}, {row.variant}, {row.batch_size} x {row.what}: "
            f"{row.wall_ms.text(2)} ms, kernels {busy}",
            flush=True,
        )

    def take(self, said: dict[str, Any]) -> None:
        """Take what a part found in a process of its own, as its ``as_raw`` has it."""
        own = ("rows", "notes", "peak_bytes")
        for row in said["rows"]:
            self.rows.append(Row(**row | {"wall_ms": Spread(**row["wall_ms"])}))
        self.notes += said["notes"]
        self.raw |= {name: value for name, value in said.items() if name not in own}

    def as_raw(self) -> dict[str, Any]:
        return {
            "rows": [asdict(row) for row in self.rows],
            "notes": self.notes,
            "peak_bytes": self.peak_bytes,
            **self.raw,
        }


@dataclass(frozen=True)
class Timing:
    wall_ms: Spread
    kernels_ms: float | None
    gflop: float | None


def measure(
    on_gpu: bool, call: Callable[[], object], *, gflop: float | None = None, count: bool = True
) -> Timing:
    """Time a call that returns when its results are on the CPU.

    Args:
        on_gpu: whether kernels are looked for.
        call: what to run; its first runs warm it up.
        gflop: what it is known to compute. None: it is counted, where ``count``.
        count: whether PyTorch runs its products, and not as one captured graph.
    """
    call()
    if gflop is None and count:
        gflop = counted_gflop(call)
    call()
    times_ms: list[float] = []
    began_s = time.perf_counter()
    while len(times_ms) < FEWEST_ROUNDS or (
        len(times_ms) < MOST_ROUNDS and time.perf_counter() - began_s < POINT_S
    ):
        started_s = time.perf_counter()
        call()
        times_ms.append(1000 * (time.perf_counter() - started_s))
    return Timing(Spread.of(times_ms), kernels_ms(call) if on_gpu else None, gflop)


def point(
    found: Found,
    call: Callable[[], object],
    what: tuple[str, str, int, str],
    *,
    on: str,
    precision: Precision = "float32",
    gflop: float | None = None,
    count: bool = True,
    gbytes: float | None = None,
    audio_s: float | None = None,
) -> Timing:
    """Time a call and add its row. ``what``: model, variant, batch size, and what an item is."""
    timing = measure(on == "cuda", call, gflop=gflop, count=count)
    figures = (timing.wall_ms, timing.kernels_ms, timing.gflop)
    found.add(Row(*what, precision, *figures, gbytes, audio_s, on))
    return timing


def counted_gflop(call: Callable[[], object]) -> float | None:
    """Count by PyTorch's counter, which knows products and convolutions; None: it saw none."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops() / 1e9 or None


def kernels_ms(call: Callable[[], object]) -> float:
    """Return the milliseconds of a call in which at least one kernel or copy ran on the device."""
    import torch

    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        call()
        torch.cuda.synchronize()
    return busy_ms(profile)


def busy_ms(profile: Any) -> float:
    """Return the length of the union of all times in which something ran on the device."""
    ranges = sorted(
        (event.time_range.start, event.time_range.end)
        for event in profile.events()
        if event.device_type.name == "CUDA" and not getattr(event, "is_user_annotation", False)
    )
    busy_us, until = 0.0, float("-inf")
    for start, end in ranges:
        busy_us += max(0.0, end - max(start, until))
        until = max(until, end)
    return busy_us / 1000
