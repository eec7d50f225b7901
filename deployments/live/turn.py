"""What a session knows of one turn until it is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from deployments.live.events import TurnDone
from models.asr.decoding import UNSPACED_LANGUAGES
from models.errors import DragomanError
from models.types import SAMPLE_RATE_HZ, UNDETERMINED, AnswerWarning


@dataclass(slots=True)
class Turn:
    """A turn, of one utterance or several. Places are samples of the session."""

    number: int
    start: int
    end: int | None = None  # set when its audio is complete
    has_begun: bool = False  # speech was heard
    text: str = ""
    spoken: dict[str, int] = field(default_factory=dict)  # samples of speech by language
    probabilities: dict[str, float] = field(default_factory=dict)  # of those languages
    logprobs: list[tuple[float, int]] = field(default_factory=list)  # with their letters
    warnings: list[AnswerWarning] = field(default_factory=list)
    failed: DragomanError | None = None
    is_dropped: bool = False  # nothing more is told of it
    is_new_utterance: bool = False  # the next text is the first one after a silence

    @property
    def is_lost(self) -> bool:
        return self.is_dropped or self.failed is not None

    @property
    def language(self) -> str:
        """Return the language that most of it is spoken in."""
        known = [name for name in self.spoken if name != UNDETERMINED]
        return max(known, key=lambda name: self.spoken[name], default=UNDETERMINED)

    def done(self) -> TurnDone:
        """Return what is told of it at its end."""
        assert self.end is not None
        letters = sum(count for _, count in self.logprobs)
        total = sum(value * count for value, count in self.logprobs)
        return TurnDone(
            turn=self.number,
            text=self.text,
            start_s=self.start / SAMPLE_RATE_HZ,
            end_s=self.end / SAMPLE_RATE_HZ,
            language=self.language,
            language_probability=self.probabilities.get(self.language, 0.0),
            speech_s=sum(self.spoken.values()) / SAMPLE_RATE_HZ,
            avg_logprob=total / letters if letters else 0.0,
            warnings=tuple(dict.fromkeys(self.warnings)),
        )

    def add(self, text: str, language: str) -> str:
        """Add a text; return it with the space that it needs before it, or without."""
        if not self.text:
            text = text.lstrip()
        elif not text[:1].isspace() and text[:1].isalnum() and self.is_new_utterance:
            text = text if language in UNSPACED_LANGUAGES else f" {text}"
        self.is_new_utterance = False
        self.text += text
        return text
