"""Count live sessions in one process: how many are open, how late they are, which were refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from deployments.batching.histograms import Times
from deployments.batching.statistics import add


@dataclass(frozen=True, slots=True)
class StageLag:
    """One stage's lag of one session over the last minute.

    Attributes:
        p50_s: median.
        p95_s: 95 of 100 events were no later.
        slope: seconds that it grows in a second, by least squares.
        events: how many it is of.
    """

    p50_s: float
    p95_s: float
    slope: float
    events: int


@dataclass(frozen=True, slots=True)
class OpenSession:
    """An open session, as operators see it.

    Attributes:
        owner: the name of the key that opened it; "" where there are no keys.
        opened_at: Unix seconds.
        heard_s: audio that was received.
        language: of the speech; None: as it is heard.
        targets: languages that anybody wants, the followers' among them.
        speaks: whether any of them is spoken.
        listeners: connections that listen.
        lag: of each stage that had events in the last minute.
    """

    id: str
    name: str | None
    owner: str
    opened_at: float
    heard_s: float
    language: str | None
    targets: tuple[str, ...]
    speaks: bool
    listeners: int
    lag: dict[str, StageLag]


@dataclass(slots=True)
class LiveFigures:
    """Counts since the start, but for ``sessions``, which are open now.

    Attributes:
        lags: by stage, how late its events were.
        refusals: by the code of the error, sessions that were not opened.
    """

    open: list[OpenSession] = field(default_factory=list)
    lags: dict[str, Times] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)

    @property
    def sessions(self) -> int:
        return len(self.open)

    def lag_p95_s(self, stage: str) -> float | None:
        """Return the lag of the session that is the latest of all; None: no stage had events."""
        lags = [session.lag[stage].p95_s for session in self.open if stage in session.lag]
        return max(lags, default=None)

    def note_lag(self, stage: str, lag_s: float) -> None:
        """Count an event of a stage that was so late."""
        self.lags.setdefault(stage, Times()).add(lag_s)

    def note_refusal(self, code: str) -> None:
        """Count a session that was not opened."""
        self.refusals[code] = self.refusals.get(code, 0) + 1

    def counts(self) -> LiveFigures:
        """Return what is counted, without the sessions: those of a process that has died."""
        return LiveFigures([], self.lags, self.refusals)


def total(parts: Iterable[LiveFigures]) -> LiveFigures:
    """Add up the figures of processes."""
    sum_ = LiveFigures()
    for part in parts:
        sum_.open.extend(part.open)
        counted = _Counts(sum_.lags, sum_.refusals)
        add(counted, _Counts(part.lags, part.refusals))
    return sum_


@dataclass(slots=True)
class _Counts:
    lags: dict[str, Times]
    refusals: dict[str, int]
