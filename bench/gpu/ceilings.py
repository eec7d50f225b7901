"""The limits of a GPU, measured: one large product in each precision, one large copy."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.gpu.measure import Found, Precision, Row, Setup
from models.devices.precision import full_precision

ROUNDS = 10
PRECISIONS: tuple[Precision, ...] = ("float32", "tf32", "float16", "bfloat16")
SIZE, COPIED_BYTES = 8192, 2 << 30


@dataclass(frozen=True)
class Ceilings:
    """Hold limits that were measured, not read from a data sheet."""

    tflops: Mapping[Precision, float] = field(default_factory=dict)
    copy_gb_s: float | None = None  # bytes read and bytes written

    def limit_ms(self, row: Row) -> float | None:
        """Return the least that a row could take here: its products, or what it must read."""
        limits: list[float] = []
        if row.gflop is not None and row.precision in self.tflops:
            limits.append(row.gflop / self.tflops[row.precision])
        if row.gbytes is not None and self.copy_gb_s is not None:
            limits.append(1000 * row.gbytes / self.copy_gb_s)
        return max(limits, default=None)

    def share(self, row: Row) -> float | None:
        limit_ms = self.limit_ms(row)
        return None if limit_ms is None else limit_ms / row.wall_ms.median


def measure_ceilings(setup: Setup, found: Found) -> Ceilings:
    import torch

    if not setup.on_gpu:
        return Ceilings()
    tflops = {
        precision: 2 * SIZE**3 / 1e12 / best_s(_product(precision)) for precision in PRECISIONS
    }
    source = torch.empty(COPIED_BYTES, dtype=torch.uint8, device="cuda").random_()
    target = torch.empty_like(source)
    copy_s = best_s(lambda: target.copy_(source))
    ceilings = Ceilings(tflops, 2 * COPIED_BYTES / 1e9 / copy_s)
    found.raw |= {"tflops": dict(tflops), "copy_gb_s": ceilings.copy_gb_s}
    print(f"  TFLOP/s {tflops}, copy {ceilings.copy_gb_s:.0f} GB/s", flush=True)
    return ceilings


def best_s(call: Callable[[], object]) -> float:
    """Return the best time of some calls on the GPU."""
    import torch

    call()
    times_s = []
    for _ in range(ROUNDS):
        torch.cuda.synchronize()
        started_s = time.perf_counter()
        call()
        torch.cuda.synchronize()
        times_s.append(time.perf_counter() - started_s)
    return min(times_s)


def _product(precision: Precision) -> Callable[[], object]:
    import torch

    dtype = torch.float32 if precision in ("float32", "tf32") else getattr(torch, precision)
    a, b = (torch.randn(SIZE, SIZE, device="cuda", dtype=dtype) for _ in range(2))

    def exact() -> None:
        with full_precision():
            a @ b

    def short() -> None:
        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = True
        a @ b
        torch.backends.cuda.matmul.allow_tf32 = before

    return exact if precision == "float32" else short
