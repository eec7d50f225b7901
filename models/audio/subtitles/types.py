"""Input and output of the subtitles: phrases and cues."""

from __future__ import annotations

from dataclasses import dataclass

from models.types import Word


@dataclass(frozen=True, slots=True)
class Phrase:
    """A stretch of speech, or its translation, with its text.

    ``words`` tell when its parts were spoken. Where they differ from the text, the text holds.
    None: its characters are taken to be spoken at one pace.
    """

    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...] | None = None
    language: str = "und"


@dataclass(frozen=True, slots=True)
class Cue:
    """``lines`` that are shown from ``start_s`` to ``end_s``, and take ``reading_s`` to read."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]
    reading_s: float = 0.0

    @property
    def lasts_s(self) -> float:
        return self.end_s - self.start_s
