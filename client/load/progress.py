"""The load test's progress: a bar on a terminal, a line a step elsewhere; both on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from dragoman_client import console

from . import sweep
from .figures import StepFigures
from .steps import Length, Load, Recording


@contextmanager
def shown() -> Iterator[sweep.Progress]:
    """Yield the progress that suits stderr."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as rich:
        yield Bar(rich)


class Lines:
    """One line when a step ends."""

    def begin(self, load: Load, length: Length) -> None:
        """Nothing: the line comes with the figures."""

    def answered(self, recording: Recording) -> None:
        """Nothing: a log need not grow by each answer."""

    def end(self, figures: StepFigures) -> None:
        console.notice(_line(figures))


class Bar:
    """A bar for each step: of its requests, or of its time as its answers come."""

    def __init__(self, rich: RichProgress) -> None:
        self._rich = rich
        self._length = Length()
        self._task = rich.add_task("warm-up", total=None)

    def begin(self, load: Load, length: Length) -> None:
        self._rich.remove_task(self._task)
        self._length = length
        self._task = self._rich.add_task(str(load), total=length.requests or length.duration_s)

    def answered(self, recording: Recording) -> None:
        outcomes = recording.outcomes
        done = len(outcomes) if self._length.requests else outcomes[-1].ended_s
        running = recording.sent - len(outcomes)
        text = f"{recording.load}: {len(outcomes)} answers, {running} running"
        self._rich.update(self._task, completed=done, description=text)

    def end(self, figures: StepFigures) -> None:
        self._rich.console.print(_line(figures), highlight=False, markup=False)


def _line(figures: StepFigures) -> str:
    counts = f"{figures.answered} of {figures.requests} answered"
    text = f"{figures.load}: {counts} in {figures.elapsed_s:.1f} s"
    if figures.latency_ms is not None:
        text += f", p50 {figures.latency_ms['p50']:.0f} ms, p99 {figures.latency_ms['p99']:.0f} ms"
    return text if figures.is_whole else f"{text} (interrupted)"
