"""One measurement of a candidate, and which of two is better within an objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from load.figures import StepFigures
from tuning.space import Candidate

# Of the goodput: what differs by less is as good, as machines drift by more from run to run.
MARGIN = 0.03


@dataclass(frozen=True, slots=True)
class Trial:
    """The figures of a candidate under the load, or the ``reason`` why there are none.

    ``busy_s`` is by model, of all its replicas; ``memory_bytes`` what the tuned models had after
    loading, of the GPU or of the machine.
    """

    candidate: Candidate
    figures: StepFigures | None = None
    reason: str | None = None
    busy_s: Mapping[str, float] = field(default_factory=dict)
    memory_bytes: int | None = None

    @property
    def goodput_rps(self) -> float:
        """Answers within the objective, a second."""
        return (self.figures.goodput_rps or 0.0) if self.figures else 0.0

    @property
    def p99_ms(self) -> float | None:
        return self.figures.latency_ms["p99"] if self.figures and self.figures.latency_ms else None

    @property
    def answered_share(self) -> float:
        """Return the share of the requests that were answered, in time or not."""
        figures = self.figures
        return figures.answered / figures.requests if figures and figures.requests else 0.0

    @property
    def is_whole(self) -> bool:
        """Tell whether every request was answered."""
        return self.answered_share == 1.0

    @property
    def meets(self) -> bool:
        """Tell whether every request was answered, and all but one in a hundred in time."""
        if self.figures is None or self.figures.slo_ms is None or self.p99_ms is None:
            return False
        return self.is_whole and self.p99_ms <= self.figures.slo_ms

    @property
    def verdict(self) -> str:
        """Return a word or two for a table."""
        if self.figures is None:
            return self.reason or "not measured"
        if not self.is_whole:
            lost = self.figures.requests - self.figures.answered
            return f"{lost} not answered" if self.figures.requests else "nothing was asked"
        return "ok" if self.meets else "too slow"


def is_better(one: Trial, other: Trial) -> bool:
    """Tell whether one is to be preferred: in time, serving more, or as much for less."""
    if one.meets != other.meets:
        return one.meets
    if _is_clearly_more(one.goodput_rps, other.goodput_rps):
        return True
    if _is_clearly_more(other.goodput_rps, one.goodput_rps):
        return False
    if not one.meets:  # the way to the objective
        return _is_clearly_more(other.p99_ms or float("inf"), one.p99_ms or float("inf"))
    return one.candidate.cost[:2] < other.candidate.cost[:2]


def _is_clearly_more(one: float, other: float) -> bool:
    return one > other * (1 + MARGIN)
