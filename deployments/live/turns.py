"""Find where somebody begins and stops to speak, frame by frame."""

from __future__ import annotations

from typing import Literal, TypeAlias

from models.types import SAMPLE_RATE_HZ
from models.vad.silero import FRAME_SAMPLES, HYSTERESIS, MIN_END_THRESHOLD

LEAST_SPEECH = SAMPLE_RATE_HZ // 4  # samples; what is shorter is a click, as in recordings
# A pause before speech is sure, after which it must begin anew.
LONGEST_GAP = round(0.3 * SAMPLE_RATE_HZ)

Change: TypeAlias = Literal["started", "stopped"]


class TurnDetector:
    """Follows the probabilities of a stream. Places are samples from its start.

    Attributes:
        started_at: where the present speech began; None: nobody speaks.
        silent_since: where its last silence began; None: somebody speaks right now.
        is_sure: whether it has lasted long enough to be speech.
    """

    def __init__(self) -> None:
        self.started_at: int | None = None
        self.silent_since: int | None = None
        self.is_sure = False

    def hear(self, at: int, probability: float, threshold: float, silence: int) -> Change | None:
        """Take the frame that begins at a sample. After ``stopped`` the caller resets.

        Args:
            threshold: probability from which a frame is speech; a little less goes on.
            silence: samples of silence that end speech.
        """
        if self.started_at is None:
            if probability >= threshold:
                self.started_at = at
            return None
        if probability >= threshold:
            self.silent_since = None
        elif probability < max(threshold - HYSTERESIS, MIN_END_THRESHOLD):
            self.silent_since = at if self.silent_since is None else self.silent_since
        end = at + FRAME_SAMPLES
        if not self.is_sure:
            return self._settle(end)
        if self.silent_since is not None and end - self.silent_since >= silence:
            return "stopped"
        return None

    def reset(self) -> None:
        """Forget the speech that goes on."""
        self.started_at = self.silent_since = None
        self.is_sure = False

    def _settle(self, end: int) -> Change | None:
        """Tell whether what began is speech."""
        assert self.started_at is not None
        if self.silent_since is None:
            self.is_sure = end - self.started_at > LEAST_SPEECH
            return "started" if self.is_sure else None
        if end - self.silent_since >= LONGEST_GAP:
            self.reset()
        return None
