"""Diarisation error rate: how much speech goes to nobody, to somebody who is silent, or to another.

As NIST's md-eval and pyannote.metrics count it: every speaker counts where several speak at once,
and speakers are matched so that most is right. Moments of 10 ms are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deployments.graph.said import SpeakerSpan

STEP_S = 0.01


@dataclass(frozen=True, slots=True)
class Errors:
    """Count seconds: of all speech, missed, found in silence, and given to another speaker."""

    speech_s: float
    missed_s: float
    false_s: float
    confused_s: float

    @property
    def rate(self) -> float:
        """Return the errors in percent of the speech."""
        wrong_s = self.missed_s + self.false_s + self.confused_s
        return 100 * wrong_s / self.speech_s if self.speech_s else 0.0

    @property
    def confused(self) -> float:
        """Return what went to another speaker in percent of the speech."""
        return 100 * self.confused_s / self.speech_s if self.speech_s else 0.0

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            self.speech_s + other.speech_s,
            self.missed_s + other.missed_s,
            self.false_s + other.false_s,
            self.confused_s + other.confused_s,
        )


NONE = Errors(0.0, 0.0, 0.0, 0.0)


def errors(
    truth: Sequence[SpeakerSpan],
    found: Sequence[SpeakerSpan],
    duration_s: float,
    collar_s: float = 0.0,
) -> Errors:
    """Compare who speaks when with the truth. ``collar_s``: around each border of the truth."""
    from scipy.optimize import linear_sum_assignment

    counted = _counted(truth, duration_s, collar_s)
    real, said = (_moments(spans, duration_s)[:, counted] for spans in (truth, found))
    together = real.astype(np.float64) @ said.T.astype(np.float64)
    right = together[linear_sum_assignment(-together)].sum() if together.size else 0.0
    speaking, told = real.sum(axis=0), said.sum(axis=0)
    return Errors(
        float(speaking.sum()) * STEP_S,
        float(np.maximum(speaking - told, 0).sum()) * STEP_S,
        float(np.maximum(told - speaking, 0).sum()) * STEP_S,
        float(np.minimum(speaking, told).sum() - right) * STEP_S,
    )


def _step(at_s: float) -> int:
    return max(0, round(at_s / STEP_S))


def _moments(spans: Sequence[SpeakerSpan], duration_s: float) -> NDArray[np.bool_]:
    """Tell who speaks at each moment: [speakers, moments]."""
    names = list(dict.fromkeys(span.speaker for span in spans))
    speaks = np.zeros((len(names), _step(duration_s)), np.bool_)
    for span in spans:
        speaks[names.index(span.speaker), _step(span.start_s) : _step(span.end_s)] = True
    return speaks


def _counted(truth: Sequence[SpeakerSpan], duration_s: float, collar_s: float) -> NDArray[np.bool_]:
    counted = np.ones(_step(duration_s), np.bool_)
    for border_s in (at_s for span in truth for at_s in (span.start_s, span.end_s)):
        if collar_s:
            counted[_step(border_s - collar_s) : _step(border_s + collar_s)] = False
    return counted
