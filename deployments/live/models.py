"""The models that a live session asks: what it needs of them, whoever runs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from deployments.catalogue.voices import NamedVoice
from deployments.live.options import LiveOptions
from models.types import AsrItem, Audio, Samples, Transcript, Translation, VadItem, VadResult


@dataclass(frozen=True, slots=True)
class Begun:
    """The start of a sentence, and its translation, from which that of the rest goes on."""

    text: str
    translated: str


class HearingModels(Protocol):
    """Hear one item at a time; pieces of many sessions meet in batches behind it.

    Every method raises ``DragomanError`` where a model cannot answer.
    """

    @property
    def takes_prefix(self) -> bool:
        """Tell whether the recogniser goes on from words that it is given (``AsrItem.prefix``)."""
        ...

    @property
    def takes_prompt(self) -> bool:
        """Tell whether the recogniser minds what may be said (``AsrItem.prompt``)."""
        ...

    async def hear(self, item: VadItem) -> VadResult:
        """Find speech in a piece of a stream."""
        ...

    async def recognise(self, item: AsrItem) -> Transcript:
        """Write down the open audio of a turn."""
        ...


class LiveModels(HearingModels, Protocol):
    """Hear, translate and speak, one item at a time."""

    def prepare(self, options: LiveOptions) -> None:
        """Resolve what a session asks for, its languages and voices; refuse what there is not.

        A session calls it before it starts, and before each change.
        """
        ...

    def prepare_target(self, target: str, voice: NamedVoice, *, speaks: bool) -> None:
        """Resolve one language more; refuse it where nothing translates to it or speaks it."""
        ...

    def close(self) -> None:
        """Let go of the models: the session is over."""
        ...

    async def translate(
        self, text: str, source: str, target: str, begun: Begun | None = None
    ) -> Translation:
        """Translate a clause; where a model can, so that it goes on from ``begun``.

        Raises:
            UnsupportedPair: no model translates it.
        """
        ...

    async def speak(
        self, text: str, target: str, voice: str | None, speed: float, reference: Samples | None
    ) -> Audio:
        """Speak a clause, with the voice of that name or the first of the language.

        ``reference``: a clip to speak in, where the voice is the speaker's or the caller's own.
        """
        ...
