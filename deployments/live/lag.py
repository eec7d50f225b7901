"""Measure how far a session's events are behind the audio that they tell of."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np

from deployments.batching.clock import Clock
from deployments.live.events import (
    Event,
    SpeechDelta,
    TranscriptDelta,
    TranslationDelta,
    TurnDone,
)
from deployments.telemetry.live_figures import StageLag

Stage: TypeAlias = Literal["received", "recognised", "translated", "spoken"]
STAGES: tuple[Stage, ...] = ("received", "recognised", "translated", "spoken")
WINDOW_S = 60.0  # of what the figures of a session are
MAX_KEPT = 240  # lags of a stage that are kept of a window
STEP_S = 0.1  # audio for which one time of arrival is kept
KEPT_AUDIO_S = 300.0  # for which times of arrival are kept


def stage_of(event: Event) -> Stage | None:
    """Return the stage that an event ends; None: it tells of no audio that was worked on."""
    if isinstance(event, TranscriptDelta):
        return "recognised"
    if isinstance(event, TurnDone):
        return "recognised" if event.text else None
    if isinstance(event, TranslationDelta):
        return "translated"
    return "spoken" if isinstance(event, SpeechDelta) else None


def end_of(event: Event) -> float:
    """Return where the audio ends that an event with a stage tells of."""
    assert isinstance(event, TranscriptDelta | TurnDone | TranslationDelta | SpeechDelta)
    return event.end_s


class Arrivals:
    """Remember when each place of a stream was received, of the last minutes."""

    def __init__(self) -> None:
        self._ends_s: list[float] = []
        self._at: list[float] = []

    def add(self, end_s: float, now: float) -> None:
        """Note that the audio up to ``end_s`` has arrived."""
        if len(self._ends_s) > 1 and end_s - self._ends_s[-2] <= STEP_S:
            self._ends_s[-1], self._at[-1] = end_s, now
        else:
            self._ends_s.append(end_s)
            self._at.append(now)
        if len(self._ends_s) > 2 * KEPT_AUDIO_S / STEP_S or (
            end_s - self._ends_s[0] > 2 * KEPT_AUDIO_S
        ):
            first = bisect_left(self._ends_s, end_s - KEPT_AUDIO_S)
            del self._ends_s[:first], self._at[:first]

    def at(self, end_s: float) -> float | None:
        """Return when the audio up to a place had arrived; None: nothing has yet."""
        if not self._at:
            return None
        place = bisect_left(self._ends_s, end_s - 1e-6)
        return self._at[min(place, len(self._at) - 1)]


def figures(points: Sequence[tuple[float, float]]) -> StageLag | None:
    """Return the figures of (time, lag); None where there are none."""
    if not points:
        return None
    at, lags = np.array(points).T
    ordered = np.sort(lags)
    p50_s, p95_s = (float(ordered[math.ceil(share * len(lags)) - 1]) for share in (0.5, 0.95))
    from_mean = at - at.mean()
    spread = float(from_mean @ from_mean)
    slope = float(from_mean @ lags) / spread if spread else 0.0
    return StageLag(p50_s, p95_s, slope, len(points))


class Lag:
    """One session's lag, by stage, on its clock. ``note`` is told of each."""

    def __init__(self, clock: Clock, note: Callable[[Stage, float], None]) -> None:
        self._clock, self._note = clock, note
        self._arrivals = Arrivals()
        self._points: dict[Stage, deque[tuple[float, float]]] = {
            stage: deque(maxlen=MAX_KEPT) for stage in STAGES
        }

    def received(self, end_s: float) -> None:
        """Note that the audio up to a place has come."""
        self._arrivals.add(end_s, self._clock.time())

    def taken(self, end_s: float) -> None:
        """Note that the audio up to a place was taken, for which the models had to have room."""
        self._add("received", end_s)

    def told(self, event: Event) -> None:
        """Note that an event was told."""
        if (stage := stage_of(event)) is not None:
            self._add(stage, end_of(event))

    def of(self, event: Event) -> float | None:
        """Return how late an event is that was told just now; None: it tells of no audio."""
        return None if stage_of(event) is None else self._since(end_of(event))

    def figures(self) -> dict[str, StageLag]:
        """Return the figures of each stage that had events in the last minute."""
        found: dict[str, StageLag] = {}
        for stage, points in self._points.items():
            while points and points[0][0] < self._clock.time() - WINDOW_S:
                points.popleft()
            if (of_stage := figures(points)) is not None:
                found[stage] = of_stage
        return found

    def _since(self, end_s: float) -> float | None:
        received_at = self._arrivals.at(end_s)
        return None if received_at is None else self._clock.time() - received_at

    def _add(self, stage: Stage, end_s: float) -> None:
        if (lag_s := self._since(end_s)) is not None:
            self._points[stage].append((self._clock.time(), lag_s))
            self._note(stage, lag_s)
