"""Voices compared: the cosine of every clip to every other, ranked, and whether they are one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from models.types import Voiceprint

# The cosine from which two clips count as one speaker, where the caller names none.
THRESHOLDS = {
    # Of equal errors (5 %) over all 1,128 pairs of 48 telephone prompts of 5 voices.
    "ge2e": 0.79,
    # The default of SpeechBrain's ``SpeakerRecognition.verify_batch``.
    "ecapa": 0.25,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Clip ``index`` of the form's ``file`` beside clip ``compare_index`` of its ``compare``."""

    index: int
    compare_index: int
    rank: int  # 1: the nearest to this ``file``
    cosine: float  # -1 to 1
    same_speaker: bool | None  # None where no threshold is known


def threshold_of(engine: str, asked: float | None) -> float | None:
    """The caller's own threshold, or else the engine's."""
    return THRESHOLDS.get(engine) if asked is None else asked


def compare(
    voiceprints: Sequence[Voiceprint],
    others: Sequence[Voiceprint],
    *,
    threshold: float | None,
    top_k: int | None = None,
) -> list[Comparison]:
    """For each of ``voiceprints``, in order, the ``top_k`` nearest ``others``, nearest first.

    Those equally near keep their order.
    """
    mine = np.stack([voiceprint.embedding for voiceprint in voiceprints])
    theirs = np.stack([voiceprint.embedding for voiceprint in others])
    cosines = np.clip(mine @ theirs.T, -1, 1)  # they have length 1, but for rounding
    return [
        Comparison(
            index=index,
            compare_index=int(nearest),
            rank=rank,
            cosine=float(row[nearest]),
            same_speaker=None if threshold is None else bool(row[nearest] >= threshold),
        )
        for index, row in enumerate(cosines)
        for rank, nearest in enumerate(np.argsort(-row, kind="stable")[:top_k], start=1)
    ]


def as_json(
    comparisons: Sequence[Comparison], threshold: float | None
) -> dict[str, float | list[dict[str, object]] | None]:
    return {"threshold": threshold, "comparisons": [asdict(row) for row in comparisons]}
