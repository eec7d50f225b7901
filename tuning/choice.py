"""The choice among what was measured in turns: the most goodput, and of equals the cheapest."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tuning.search import Search
from tuning.space import Candidate
from tuning.trial import MARGIN, Trial


@dataclass(frozen=True, slots=True)
class Finalist:
    """A candidate and its measurements, one a turn."""

    candidate: Candidate
    trials: Sequence[Trial]

    @property
    def goodputs_rps(self) -> list[float]:
        return [trial.goodput_rps for trial in self.trials]

    @property
    def median_rps(self) -> float:
        return statistics.median(self.goodputs_rps)

    @property
    def meets(self) -> bool:
        """Tell whether no request was lost in any turn, and the middle turn was in time."""
        in_time = sum(trial.meets for trial in self.trials)
        return all(trial.is_whole for trial in self.trials) and in_time > len(self.trials) / 2

    def is_as_good_as(self, other: Finalist) -> bool:
        """Tell whether it was not behind in each turn, or by too little to tell."""
        pairs = zip(self.goodputs_rps, other.goodputs_rps, strict=True)
        is_once_ahead = any(mine >= others for mine, others in pairs)
        return is_once_ahead or self.median_rps >= other.median_rps * (1 - MARGIN)


@dataclass(frozen=True, slots=True)
class Gain:
    """Goodput over that of the present settings, turn by turn of the same run."""

    median: float
    least: float
    most: float
    turns: int

    def __str__(self) -> str:
        spread = f" ({self.least:.2f} to {self.most:.2f} in {self.turns} turns)"
        return f"{self.median:.2f}{spread if self.turns > 1 else ''}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The settings that were chosen; ``outcome`` is

    - ``better``: it serves more than the present settings, or as much for less;
    - ``present``: nothing does, so the present settings stay;
    - ``missed``: nothing met the objective; ``chosen`` came nearest (most answered, then the lowest
      p99), and is no recommendation.

    ``gain`` is None where the present settings served nothing in time, or nothing was compared.
    """

    outcome: Literal["better", "present", "missed"]
    chosen: Candidate
    gain: Gain | None
    finalists: Sequence[Finalist]


def choose(search: Search, start: Candidate) -> Choice:
    """Choose from a search with at least one measurement."""
    finalists = _finalists(search, start)
    reach = [finalist for finalist in finalists if finalist.meets]
    if not reach:
        nearest = max(
            search.trials.values(), key=lambda t: (t.answered_share, -(t.p99_ms or math.inf))
        )
        return Choice("missed", nearest.candidate, None, finalists)
    best = max(reach, key=lambda finalist: finalist.median_rps)
    equals = [finalist for finalist in reach if finalist.is_as_good_as(best)]
    chosen = min(equals, key=lambda f: (f.candidate.preference(start), -f.median_rps))
    gain = None if chosen.candidate == start else _gain(chosen, finalists[0])
    outcome: Literal["present", "better"] = "present" if chosen.candidate == start else "better"
    return Choice(outcome, chosen.candidate, gain, finalists)


def _finalists(search: Search, start: Candidate) -> list[Finalist]:
    """List the present settings first; by the turns, or by the search where there were none."""
    trials = search.trials
    turns = search.rounds or [{c: trials[c] for c in search.finalists(start) or [start]}]
    return [Finalist(candidate, [turn[candidate] for turn in turns]) for candidate in turns[0]]


def _gain(chosen: Finalist, present: Finalist) -> Gain | None:
    pairs = list(zip(chosen.goodputs_rps, present.goodputs_rps, strict=True))
    if not all(before for _, before in pairs):
        return None
    ratios = [after / before for after, before in pairs]
    return Gain(statistics.median(ratios), min(ratios), max(ratios), len(ratios))
