"""Write what comes of a part as JSON, and read it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from pydantic import ConfigDict, TypeAdapter

from deployments.graph.context import Context
from deployments.graph.sentences import Sentence
from deployments.graph.speakers import SpeakerVoice
from deployments.graph.timings import StageTiming, Timings
from models.runtime import Voice
from models.types import AnswerWarning, SpeechSpan, Transcript


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a part's way through the graph that go into the answer."""

    total_ms: float
    stages: tuple[StageTiming, ...]
    warnings: tuple[AnswerWarning, ...]

    @classmethod
    def of(cls, context: Context) -> Figures:
        """Return those of the request that a part was."""
        stages = tuple(context.timings.stages())
        return cls(context.timings.total_ms, stages, tuple(context.warnings))


@dataclass(frozen=True, slots=True)
class HeardPart:
    """A part that was written down; times count from its start.

    Attributes:
        speech: where somebody speaks, if the speakers are told apart.
        pieces: of that, whose voices are embedded.
        narrow: it has the band of a telephone.
    """

    transcript: Transcript
    figures: Figures
    speech: tuple[SpeechSpan, ...] = ()
    pieces: tuple[SpeechSpan, ...] = ()
    narrow: bool = False


@dataclass(frozen=True, slots=True)
class TranslatedPart:
    """A part that was translated; times count from its start.

    Attributes:
        duration_s: of the part.
        sentences: without their audio.
        sound_samples: how long all of them are when spoken, at ``sound_rate_hz``.
        embedding: of the speaker's voice, if that was asked for.
        speech_s: how much speech the embedding is of.
    """

    duration_s: float
    language: str | None
    language_probability: float
    sentences: tuple[Sentence, ...]
    figures: Figures
    pivot: str | None = None
    voice: Voice | None = None
    voice_similarity: float | None = None
    sound_samples: int = 0
    sound_rate_hz: int = 0
    embedding: tuple[float, ...] | None = None
    speech_s: float = 0.0
    speakers: tuple[SpeakerVoice, ...] = ()

    @property
    def spoken_s(self) -> float:
        """Return how long somebody speaks in it."""
        return sum(sentence.end_s - sentence.start_s for sentence in self.sentences)


def written(value: Any) -> bytes:
    """Write a dataclass as JSON."""
    return json.dumps(asdict(value)).encode()


# A sentence may have audio, which is no type of pydantic's; here it has none.
_CONFIG = ConfigDict(arbitrary_types_allowed=True)
_HEARD = TypeAdapter(tuple[HeardPart], config=_CONFIG)
_TRANSLATED = TypeAdapter(tuple[TranslatedPart], config=_CONFIG)


def heard_part(data: bytes) -> HeardPart:
    """Read what ``written`` wrote of one. Raises ValueError: it is something else."""
    (part,) = _HEARD.validate_python([json.loads(data)])
    return part


def translated_part(data: bytes) -> TranslatedPart:
    """Read what ``written`` wrote of one. Raises ValueError: it is something else."""
    (part,) = _TRANSLATED.validate_python([json.loads(data)])
    return part


class SummedTimings(Timings):
    """The stages of all parts: their times are added up, their means are over all items."""

    def __init__(self, parts: Sequence[Figures]) -> None:
        super().__init__()
        self._total_ms = sum(part.total_ms for part in parts)
        by_name: dict[str, list[StageTiming]] = {}
        for part in parts:
            for stage in part.stages:
                by_name.setdefault(stage.stage, []).append(stage)
        self._summed = [_summed(stages) for stages in by_name.values()]

    @property
    def total_ms(self) -> float:
        """Return the time that all parts took, one after the other."""
        return self._total_ms

    def stages(self) -> list[StageTiming]:
        """List the stages of the parts, and those since then."""
        return [*self._summed, *super().stages()]


def _summed(stages: Sequence[StageTiming]) -> StageTiming:
    weights = [max(stage.items, 1) for stage in stages]

    def mean(name: str) -> float:
        values = [getattr(stage, name) for stage in stages]
        return round(float(np.average(values, weights=weights)), 2)

    return StageTiming(
        stage=stages[0].stage,
        model=stages[0].model,
        ms=round(sum(stage.ms for stage in stages), 1),
        queue_ms=mean("queue_ms"),
        execution_ms=mean("execution_ms"),
        items=sum(stage.items for stage in stages),
        batch_size=mean("batch_size"),
    )


def summed_context(
    parts: Sequence[Figures], more: Sequence[AnswerWarning], base: Context
) -> Context:
    """Return a context with the timings of all parts, and each of their warnings once."""
    every = [*more, *(warning for part in parts for warning in part.warnings)]
    warnings = list(dict.fromkeys(every))
    return Context(base.deadline, base.priority, timings=SummedTimings(parts), warnings=warnings)
