"""Keep what was said last in a session: short speech is heard better behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from deployments.live.agreement import behind
from deployments.live.utterance import Utterance
from models.types import SAMPLE_RATE_HZ, Transcript, Word

# Audio of what was said last and of what is open, which Whisper's shortest window holds.
LONGEST = round(8.5 * SAMPLE_RATE_HZ)


@dataclass(frozen=True, slots=True)
class Said:
    """The last words of a session.

    Attributes:
        start: the place, a sample of the session, from which on all that is said is ``text``.
    """

    start: int
    text: str
    language: str


class Context:
    """Holds the utterance that came last."""

    def __init__(self) -> None:
        self._last: Said | None = None

    def follow(self, told: Utterance) -> None:
        """Take an utterance that is recognised. One in which nothing was heard stands between."""
        words = told.prefix
        self._last = Said(told.start, words, told.spoken_language) if words else None

    def forget(self) -> None:
        """Let what comes next follow nothing."""
        self._last = None

    def needed_from(self, now: int) -> int:
        """Return the place from which on audio may be heard once more; forget what is too old."""
        if self._last is None or now - self._last.start > LONGEST:
            self._last = None
            return now
        return self._last.start

    def of(self, open_one: Utterance, edge: int, language: str | None) -> Said | None:
        """Return what was said before an utterance, if that was in its language and both fit.

        None also where its start was cut off: then other words stand between.
        """
        last = self._last
        if last is None or open_one.before or last.language != language:
            return None
        return last if edge - last.start <= LONGEST else None


def without(said: Said, answer: Transcript, start: int) -> Transcript:
    """Leave out of an answer what was said before.

    Args:
        answer: to audio from ``said.start`` on, whose words begin with those of ``said``.
        start: sample of the session from which its times count now.
    """
    if not answer.segments:
        return answer
    words = [word for segment in answer.segments for word in segment.words or ()]
    rest = behind(said.text, words, (said.start - start) / SAMPLE_RATE_HZ)
    if rest and not any(map(str.isalnum, rest[0].text)):  # the mark that ends what was said
        del rest[0]
    kept = tuple(Word(max(0.0, w.start_s), max(0.0, w.end_s), w.text, 1.0) for w in rest)
    first, *others = answer.segments
    segments = (replace(first, words=kept), *(replace(other, words=()) for other in others))
    return replace(answer, segments=segments)
