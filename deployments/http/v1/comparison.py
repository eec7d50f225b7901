"""Compare voices: the cosine of every clip to every other, ranked, and whether both are one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployments.graph.voice_embeddings import HeardVoice


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The cosine from which two clips count as one speaker, by how much speech each has.

    Straight lines lie between the points; beyond the last ones nothing changes.
    """

    seconds: tuple[float, ...]
    cosines: tuple[tuple[float, ...], ...]  # [of one clip][of the other]

    def at(self, one_s: float | None, other_s: float | None) -> float:
        """Return the cosine for two lengths of speech; an unknown one is taken for a long one."""
        one, other = (self.seconds[-1] if s is None else s for s in (one_s, other_s))
        across = [np.interp(one, self.seconds, row) for row in self.cosines]
        return round(float(np.interp(other, self.seconds, across)), 4)


THRESHOLDS = {
    # Of equal errors, by ``make bench-speaker-checks``. A clip with less than the 1.6 s that the
    # network hears at once is filled up with zeros, so that short ones are all alike.
    "ge2e": Thresholds(
        (0.5, 1.0, 1.5, 2.0, 3.0, 5.0),
        (
            (0.735, 0.65, 0.515, 0.56, 0.53, 0.52),
            (0.65, 0.68, 0.615, 0.65, 0.64, 0.63),
            (0.515, 0.615, 0.67, 0.68, 0.7, 0.705),
            (0.56, 0.65, 0.68, 0.7, 0.715, 0.715),
            (0.53, 0.64, 0.7, 0.715, 0.735, 0.745),
            (0.52, 0.63, 0.705, 0.715, 0.745, 0.755),
        ),
    ),
    # The default of SpeechBrain's ``SpeakerRecognition.verify_batch``.
    "ecapa": Thresholds((0.0,), ((0.25,),)),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Clip ``index`` of the form's ``file`` beside clip ``compare_index`` of its ``compare``."""

    index: int
    compare_index: int
    rank: int  # 1: the nearest to this ``file``
    cosine: float  # -1 to 1
    same_speaker: bool | None  # None where no threshold is known, or a clip has no speech
    threshold: float | None  # the caller's own, or the engine's for so much speech
    speech_s: float | None  # of the clip that has less; None where nobody looked


def threshold_of(engine: str, one_s: float | None, other_s: float | None) -> float | None:
    """Return the engine's threshold for two clips with so much speech; None: it has none."""
    return THRESHOLDS[engine].at(one_s, other_s) if engine in THRESHOLDS else None


def compare(
    voices: Sequence[HeardVoice],
    others: Sequence[HeardVoice],
    *,
    engine: str,
    threshold: float | None = None,
    top_k: int | None = None,
) -> list[Comparison]:
    """List for each of ``voices``, in order, the ``top_k`` nearest ``others``, nearest first.

    Equally near ones keep their order. ``threshold``: the caller's own.
    """
    mine, theirs = _matrix(voices), _matrix(others)
    cosines = np.clip(mine @ theirs.T, -1, 1)  # they have length 1, but for rounding
    found = []
    for index, row in enumerate(cosines):
        for rank, nearest in enumerate(np.argsort(-row, kind="stable")[:top_k], start=1):
            lengths = voices[index].speech_s, others[nearest].speech_s
            speech_s = _smaller(*lengths)
            limit = threshold_of(engine, *lengths) if threshold is None else threshold
            cosine = float(row[nearest])
            same = None if limit is None or speech_s == 0 else cosine >= limit
            found.append(
                Comparison(index, int(nearest), rank, cosine, same, limit, _to_ms(speech_s))
            )
    return found


def as_json(comparisons: Sequence[Comparison], threshold: float | None) -> dict[str, Any]:
    """Show comparisons as the answer has them. ``threshold``: the caller's own."""
    return {"threshold": threshold, "comparisons": [asdict(row) for row in comparisons]}


def _matrix(voices: Sequence[HeardVoice]) -> NDArray[np.float32]:
    return np.stack([voice.voiceprint.embedding for voice in voices])


def _smaller(one: float | None, other: float | None) -> float | None:
    """Return the smaller of two lengths, of which either may be unknown."""
    return min((each for each in (one, other) if each is not None), default=None)


def _to_ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
