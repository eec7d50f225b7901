"""Say what a live session is asked for: languages, turns, delay, voice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from deployments.catalogue.voices import NamedVoice
from models.text.glossary import Glossary
from models.types import SOURCE_VOICE

Delay: TypeAlias = Literal["minimal", "low", "medium", "high", "xhigh"]
DELAYS: tuple[Delay, ...] = ("minimal", "low", "medium", "high", "xhigh")


@dataclass(frozen=True, slots=True)
class VadTurns:
    """Let the session end a turn itself, at a silence.

    Attributes:
        threshold: probability from which a frame is speech.
        prefix_padding_s: silence that is kept before speech.
        silence_s: that ends a turn; None: as the delay has it.
        idle_timeout_s: silence after which the caller is told that nobody speaks; None: never.
    """

    threshold: float = 0.5
    prefix_padding_s: float = 0.3
    silence_s: float | None = None
    idle_timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """Options of a session; each may change while it runs, for what is said from then on.

    Attributes:
        language: of the speech; None: told for each turn as it is heard.
        languages: those that doubtful speech may be in; empty: all.
        prompt: words that are likely to be said.
        turns: how a turn ends; None: the caller ends it.
        delay: how long words are held back until they are sure.
        targets: languages that it is translated to; empty: it is transcribed alone.
        speaks: whether translations are spoken.
        recogniser: a model or an alias; None: the first one.
        glossary: terms that may be said, with their translations and sounds.
        voice: ``SOURCE_VOICE`` is the speaker's own; None: the first of each language.
    """

    language: str | None = None
    languages: tuple[str, ...] = ()
    prompt: str | None = None
    turns: VadTurns | None = VadTurns()
    delay: Delay = "medium"
    targets: tuple[str, ...] = ()
    speaks: bool = False
    voice: NamedVoice = None
    recogniser: str | None = None
    glossary: Glossary | None = None

    def voice_of(self, target: str) -> NamedVoice:
        """Return the voice of a language: one that is named is of those that are asked for."""
        is_meant = self.voice == SOURCE_VOICE or target in self.targets
        return self.voice if is_meant else None
