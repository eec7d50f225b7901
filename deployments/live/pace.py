"""Tell how often a live session asks, what it holds back, and whether the models keep up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deployments.live.options import Delay


@dataclass(frozen=True, slots=True)
class Pace:
    """The times that a delay stands for.

    Attributes:
        step_s: new audio that an update waits for.
        hold_s: words that end less than this before the edge of the audio may still change.
        silence_s: silence that ends a turn.
    """

    step_s: float
    hold_s: float
    silence_s: float


PACES: Mapping[Delay, Pace] = {
    "minimal": Pace(step_s=0.3, hold_s=0.1, silence_s=0.3),
    "low": Pace(step_s=0.4, hold_s=0.2, silence_s=0.4),
    "medium": Pace(step_s=0.5, hold_s=0.3, silence_s=0.5),
    "high": Pace(step_s=1.0, hold_s=0.7, silence_s=0.7),
    "xhigh": Pace(step_s=2.0, hold_s=1.2, silence_s=1.0),
}

SLOW_S, QUICK_S = 1.5, 0.6  # answers that take as long are too late, or soon enough
IN_A_ROW = 3
SPARE = 2.0  # an update takes at most its half of a session's time: last answers come sooner


class Load:
    """Watches how long answers take; where that is too long, partial updates are left out."""

    def __init__(self) -> None:
        self.is_behind = False
        self._took_s = 0.0
        self._in_a_row = 0

    @property
    def has_time(self) -> bool:
        """Tell whether the last answer came so soon that the next one may take longer."""
        return self._took_s <= QUICK_S

    def step_s(self, pace: Pace) -> float:
        """Return the new audio that an update waits for, which is more where answers are slow."""
        return max(pace.step_s, SPARE * self._took_s)

    def add(self, took_s: float) -> bool:
        """Take the time of an answer. Return whether the session has fallen behind just now."""
        self._took_s = took_s
        counts = took_s <= QUICK_S if self.is_behind else took_s >= SLOW_S
        self._in_a_row = self._in_a_row + 1 if counts else 0
        if self._in_a_row < IN_A_ROW:
            return False
        self.is_behind, self._in_a_row = not self.is_behind, 0
        return self.is_behind
