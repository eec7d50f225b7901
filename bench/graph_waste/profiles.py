"""The times that the sleeping models take, and what the stages alone could do with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MS = 1000
SENTENCES = 2  # that the fake recogniser says of an utterance


@dataclass(frozen=True)
class Stage:
    """A batch of n items takes ``base_ms + n * item_ms``.

    Attributes:
        rows: most of a batch, by the policy.
        items: of one utterance.
        aside: whether it runs beside the others, so that nothing waits for it but the end.
    """

    base_ms: float
    item_ms: float
    rows: int
    items: int = 1
    aside: bool = False

    def batch_s(self, items: float) -> float:
        return (self.base_ms + items * self.item_ms) / MS

    def rate(self, rows: float) -> float:
        """Return utterances/s with batches of so many rows."""
        rows = min(rows, self.rows)
        return rows / self.batch_s(rows) / self.items


Profile = Mapping[str, Stage]


def bound(profile: Profile) -> float:
    """Return the utterances/s of the slowest stage alone, with full batches."""
    return min(stage.rate(stage.rows) for stage in profile.values())


def reachable(profile: Profile, callers: int) -> float:
    """Return the utterances/s that so many callers could get at best, and at most the bound.

    They go through the stages in equal groups, one behind the other: a large group makes full
    batches, small ones keep every stage busy. The best size counts.
    """
    path = [stage for stage in profile.values() if not stage.aside]

    def rate(group: int) -> float:
        passes_s = sum(
            stage.batch_s(min(group * stage.items, stage.rows))
            * max(1.0, group * stage.items / stage.rows)
            for stage in path
        )
        stages = [stage.rate(group * stage.items) for stage in profile.values()]
        return min(callers / passes_s, *stages)

    return max(rate(group) for group in range(1, callers + 1))


# Of the H100: Silero on one core, Whisper turbo with windows of 10 s, M2M100, YourTTS, ECAPA.
GPU: Profile = {
    "vad": Stage(14, 9.3, 16),
    "asr": Stage(78, 1.0, 16),
    "nmt": Stage(78, 0.4, 64, SENTENCES),
    "tts": Stage(42, 3.4, 16, SENTENCES),
    "speaker": Stage(3, 0.3, 32, aside=True),
}
