"""Count live sessions in one process: how many are open, how late they are, which were refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from deployments.batching.histograms import Times
from deployments.batching.statistics import add


@dataclass(slots=True)
class LiveFigures:
    """Counts since the start, but for ``sessions``, which are open now.

    Attributes:
        lags: by stage, how late its events were.
        refusals: by the code of the error, sessions that were not opened.
    """

    sessions: int = 0
    lags: dict[str, Times] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)

    def note_lag(self, stage: str, lag_s: float) -> None:
        """Count an event of a stage that was so late."""
        self.lags.setdefault(stage, Times()).add(lag_s)

    def note_refusal(self, code: str) -> None:
        """Count a session that was not opened."""
        self.refusals[code] = self.refusals.get(code, 0) + 1


def total(parts: Iterable[LiveFigures]) -> LiveFigures:
    """Add up the figures of processes."""
    sum_ = LiveFigures()
    for part in parts:
        add(sum_, part)
    return sum_
