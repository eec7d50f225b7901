"""A sweep: a warm-up that is not counted, then step after step, each with its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dragoman_client import AsyncClient, DragomanError, Model

from .figures import StepFigures, mean_batches, summarise
from .steps import Length, Load, Outcome, Recording, Stepper


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a sweep; ``warm_up`` requests go one after another, before the first step."""

    loads: tuple[Load, ...]
    length: Length
    warm_up: int
    slo_ms: float | None


class Progress(Protocol):
    """A listener to the steps while they run."""

    def begin(self, load: Load, length: Length) -> None: ...

    def answered(self, recording: Recording) -> None: ...

    def end(self, figures: StepFigures) -> None: ...


@dataclass(slots=True)
class Sweep:
    """Runs a plan and keeps what it measured, also when it is cancelled."""

    plan: Plan
    client: AsyncClient
    stepper: Stepper
    progress: Progress
    steps: list[StepFigures] = field(default_factory=list)
    outcomes: list[Sequence[Outcome]] = field(default_factory=list)  # of each step
    models: Sequence[Model] = ()  # as the server described them at first

    async def run(self) -> None:
        """Run the whole plan.

        Raises:
            DragomanError: a request of the warm-up failed: there is nothing to measure.
        """
        for number in range(self.plan.warm_up):
            await self.stepper.ask(number)
        self.models = await self._look()
        for load in self.plan.loads:
            await self._step(load)

    async def _step(self, load: Load) -> None:
        recording, batches = Recording(load), dict[str, float]()
        before = await self._look()
        self.progress.begin(load, self.plan.length)
        try:
            await self.stepper.run(recording, self.plan.length)
            batches = mean_batches(before, await self._look())
        finally:
            figures = summarise(recording, slo_ms=self.plan.slo_ms, mean_batch=batches)
            self.steps.append(figures)
            self.outcomes.append(recording.outcomes)
            self.progress.end(figures)

    async def _look(self) -> Sequence[Model]:
        """Ask for the server's models and counts; none where it does not tell."""
        try:
            return await self.client.models()
        except DragomanError:
            return ()
