"""A rig whose figures are arithmetic, with a clock of its own: for tests of the search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from load.figures import StepFigures
from load.steps import Load
from tuning.space import Candidate, Settings
from tuning.trial import Trial

SLO_MS = 100.0
STEP_S, RELOAD_S = 10.0, 30.0
CALLERS = 32

Figures = tuple[float, float]  # answers/s, p99 in ms
NAME = "speaker"


def one(
    max_batch_size: int = 1, delay_ms: float = 5.0, replicas: int = 1, threads: int = 1
) -> Candidate:
    """Settings of a single model."""
    return Candidate(((NAME, Settings(max_batch_size, delay_ms, replicas, threads)),))


def figures(
    throughput_rps: float, p99_ms: float, *, overloaded: int = 0, slo_ms: float = SLO_MS
) -> StepFigures:
    """Of a step in which either all answers were in time, or none was."""
    answered = round(throughput_rps * STEP_S)
    return StepFigures(
        load=Load("closed", CALLERS),
        is_whole=True,
        elapsed_s=STEP_S,
        requests=answered + overloaded,
        answered=answered,
        overloaded=overloaded,
        failed=0,
        abandoned=0,
        errors={"503 queue_full": overloaded} if overloaded else {},
        latency_ms={"p50": p99_ms / 2, "p99": p99_ms, "max": p99_ms},
        throughput_rps=throughput_rps,
        audio_s_per_s=None,
        slo_ms=slo_ms,
        goodput_rps=throughput_rps if p99_ms <= slo_ms else 0.0,
        slo_share=None,
        queue_share=None,
        mean_batch={NAME: 1.0},
        max_send_delay_ms=0.0,
    )


def trial(candidate: Candidate, throughput_rps: float, p99_ms: float = SLO_MS / 2) -> Trial:
    return Trial(candidate, figures(throughput_rps, p99_ms))


def sleeping(candidate: Candidate) -> Figures:
    """Closed-loop callers before a model of 5 ms + 0.2 ms an item: always full batches."""
    ((_, settings),) = candidate.models
    batch_s = 0.005 + 0.0002 * settings.max_batch_size
    rate_rps = settings.replicas * settings.max_batch_size / batch_s
    return rate_rps, CALLERS / rate_rps * 1000


@dataclass
class FakeRig:
    """Measures by a function; a measurement takes its time of the clock."""

    of: Callable[[Candidate], Figures | str] = sleeping
    busy_s: dict[str, float] = field(default_factory=lambda: {NAME: 1.0})
    now_s: float = 0.0
    overloaded: dict[Candidate, int] = field(default_factory=dict)
    measured: list[Candidate] = field(default_factory=list)

    def clock(self) -> float:
        return self.now_s

    def measure(self, candidate: Candidate) -> Trial:
        self.now_s += self.expected_s(candidate)
        self.measured.append(candidate)
        found = self.of(candidate)
        if isinstance(found, str):
            return Trial(candidate, reason=found)
        refused = self.overloaded.get(candidate, 0)
        return Trial(candidate, figures(*found, overloaded=refused), busy_s=self.busy_s)

    def expected_s(self, candidate: Candidate, after: Candidate | None = None) -> float:
        after = after or (self.measured[-1] if self.measured else candidate)
        loads = sum(
            after.of(name).instances != settings.instances for name, settings in candidate.models
        )
        return STEP_S + loads * RELOAD_S
