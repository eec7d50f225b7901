"""The search: one setting after the other, all of its values, from the best that is known.

1. The present settings are measured. Models that ran no batch are left alone, the model whose
   replicas were busiest comes first.
2. For each model: all batch sizes, then all delays, then all pairs of replicas and threads, which
   load it again. What is clearly better, or as good for fewer replicas, is gone on from.
3. That is repeated until a round changes nothing.

So it takes about the sum of the numbers of values, not their product. The best that is known is
measured again before each of these settings, and at the end in turns with the present settings and
what may be as good: neither a lucky moment nor the machine's drift decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from tuning.space import Candidate, Space
from tuning.trial import Trial, is_better

FINALISTS = 3  # that are measured again, beside the present settings
NEAR = 0.9  # of the best goodput: what has less is no finalist


class Rig(Protocol):
    """The door to what measures: a server and a load."""

    def measure(self, candidate: Candidate) -> Trial:
        """Apply the candidate, load it, and say what it did; never raises for its sake."""

    def expected_s(self, candidate: Candidate, after: Candidate | None = None) -> float:
        """Estimate how long a measurement may take, after another candidate; None: the last."""


@dataclass(slots=True)
class Budget:
    """Seconds from now on."""

    total_s: float
    clock: Callable[[], float] = time.monotonic
    started_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.started_s = self.clock()

    @property
    def spent_s(self) -> float:
        return self.clock() - self.started_s

    @property
    def left_s(self) -> float:
        return self.total_s - self.spent_s


Listener: TypeAlias = Callable[[Trial], None]


@dataclass(slots=True)
class Search:
    """Keeps what it measured, also when it is interrupted.

    Args:
        rig: measures.
        space: the values of each model.
        budget: what the search and the turns after it may take.
        turns: how often the finalists are measured again.
        listener: hears of each measurement.
    """

    rig: Rig
    space: Space
    budget: Budget
    turns: int
    listener: Listener = lambda trial: None
    history: list[Trial] = field(default_factory=list)  # of the search, in order
    rounds: list[dict[Candidate, Trial]] = field(default_factory=list)  # each of every finalist
    skipped: set[Candidate] = field(default_factory=set)  # for which there was no time

    def run(self, start: Candidate) -> None:
        """Search from the present settings, then measure the finalists in turns."""
        best = self._measure(start)
        if not best.figures or not best.figures.answered:
            return
        names = _busiest_first(best, start)
        while True:
            before = best.candidate
            for name in names:
                best = self._improve(best, name)
            if best.candidate == before:
                break
        self._repeat(self.finalists(start, best.candidate))

    @property
    def trials(self) -> dict[Candidate, Trial]:
        """Return the last measurement of each candidate."""
        return {trial.candidate: trial for trial in self.history}

    def finalists(self, start: Candidate, best: Candidate | None = None) -> list[Candidate]:
        """Choose the present settings, the best, and the cheapest of what may be as good.

        There are none if nothing met the objective. ``best`` is where the search ended.
        """
        trials = self.trials
        reach = [trial for trial in trials.values() if trial.meets]
        if not reach:
            return []
        most = max(reach, key=lambda trial: trial.goodput_rps)
        near = [t.candidate for t in reach if t.goodput_rps >= NEAR * most.goodput_rps]
        cheapest = sorted(near, key=lambda c: (c.preference(start), -trials[c].goodput_rps))
        ended = [best] if best is not None and trials[best].meets else []
        chosen = dict.fromkeys([*ended, most.candidate, *cheapest])
        chosen.pop(start, None)
        return [start, *list(chosen)[:FINALISTS]]

    def _improve(self, best: Trial, name: str) -> Trial:
        """Try one setting of a model after the other."""
        for setting in (self._batch_sizes, self._delays, self._instances):
            known = self.trials
            untried = [c for c in setting(best.candidate, name) if c not in known]
            if untried and best is not self.history[-1]:
                best = self._measure_in_time(best.candidate) or best
            for candidate in untried:
                trial = self._measure_in_time(candidate)
                if trial is not None and is_better(trial, best):
                    best = trial
        return best

    def _batch_sizes(self, at: Candidate, name: str) -> Iterator[Candidate]:
        for size in self.space[name].batch_sizes:
            yield at.with_(name, max_batch_size=size)

    def _delays(self, at: Candidate, name: str) -> Iterator[Candidate]:
        if at.of(name).max_batch_size > 1:  # a batch of one is full at once
            for delay_ms in self.space[name].delays_ms:
                yield at.with_(name, max_queue_delay_ms=delay_ms)

    def _instances(self, at: Candidate, name: str) -> Iterator[Candidate]:
        for replicas, threads in self.space[name].instances:
            yield at.with_(name, replicas=replicas, threads=threads)

    def _measure_in_time(self, candidate: Candidate) -> Trial | None:
        """Measure a candidate; None if there is no time for it beside the turns."""
        if self._needed_s(candidate) > self.budget.left_s:
            self.skipped.add(candidate)
            return None
        return self._measure(candidate)

    def _measure(self, candidate: Candidate) -> Trial:
        trial = self.rig.measure(candidate)
        self.history.append(trial)
        self.listener(trial)
        return trial

    def _needed_s(self, candidate: Candidate) -> float:
        """Estimate its time with the turns, if it were the last and became a finalist."""
        start = self.history[0].candidate
        finalists = [*(self.finalists(start) or [start])[:FINALISTS], candidate]
        turns_s = self.turns * self._turn_s(finalists, after=candidate)
        return self.rig.expected_s(candidate) + turns_s

    def _turn_s(self, finalists: Sequence[Candidate], after: Candidate | None = None) -> float:
        first_s = self.rig.expected_s(finalists[0], after)
        return first_s + sum(map(self.rig.expected_s, finalists[1:], finalists))

    def _repeat(self, finalists: Sequence[Candidate]) -> None:
        """Measure them in turns, as often as the budget has it; a lone one needs none.

        Every other turn goes backwards: drift hits all alike, and fewer models are loaded again.
        """
        order = list(finalists)
        while len(order) > 2 and self.turns * self._turn_s(order) > self.budget.left_s:
            order.pop()  # two that can be compared are better than more that cannot
        for _ in range(self.turns if len(order) > 1 else 0):
            if self._turn_s(order) > self.budget.left_s:
                return
            turn: dict[Candidate, Trial] = {}
            for candidate in order:
                turn[candidate] = self.rig.measure(candidate)
                self.listener(turn[candidate])
            self.rounds.append(turn)
            order.reverse()


def _busiest_first(trial: Trial, candidate: Candidate) -> list[str]:
    """Sort the models that ran by how busy a replica of each was."""
    busy = {
        name: trial.busy_s[name] / settings.replicas
        for name, settings in candidate.models
        if name in trial.busy_s
    }
    return sorted(busy, key=lambda name: -busy[name])
