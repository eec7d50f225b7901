"""Tell who speaks when in a recording, and who said which words of its transcript."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from string import ascii_uppercase
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from deployments.batching.concurrency import all_of
from deployments.catalogue.model import Model
from deployments.graph.codecs import Codecs
from deployments.graph.context import Context
from deployments.graph.plan import Embedding, Hearing
from deployments.graph.said import Said, SpeakerSpan, said_by
from deployments.graph.stages import StageRunner
from deployments.graph.transcription import Transcriber
from deployments.graph.voice_embeddings import VoiceEmbedder
from models.errors import InvalidRequest
from models.speaker.turns import Rules, Turns, is_narrow, pieces, rules_of, samples_of, tell_apart
from models.types import (
    Audio,
    SpeakerItem,
    SpeechSpan,
    Transcript,
    VadParameters,
    VadResult,
    Voiceprint,
)
from models.vad.silero import spans

R = TypeVar("R")

# A change of speakers is often a short pause, and silence around speech has no voice.
TURN_VAD = VadParameters(padding_s=0.0, min_silence_s=0.1, min_speech_s=0.1)
SAME_TURN_S = 0.5  # a pause within what one speaker says
TASKS = 256  # pieces of one recording that wait side by side


@dataclass(frozen=True, slots=True, eq=False)
class Diarising:
    """Transcribe a recording, with the times of its words, and tell its speakers apart."""

    hearing: Hearing
    speaker: Model

    @property
    def models(self) -> list[Model]:
        return [*self.hearing.models, self.speaker]

    @property
    def voices(self) -> Embedding:
        return Embedding(self.speaker, self.hearing.vad)


@dataclass(frozen=True, slots=True, eq=False)
class KnownSpeaker:
    """Somebody who may speak, with a clip of their voice at 16 kHz."""

    name: str
    clip: Audio


@dataclass(frozen=True, slots=True)
class DiarisedTranscript:
    """A transcript, what each speaker says of it, and who speaks when."""

    transcript: Transcript
    said: tuple[Said, ...]
    spans: tuple[SpeakerSpan, ...]


@dataclass(frozen=True, slots=True, eq=False)
class HeardVoices:
    """The voices in a recording.

    Attributes:
        speech: where somebody speaks, in order and disjoint.
        pieces: of the speech, in order.
        embeddings: of the pieces, [n, d].
        narrow: the recording has the band of a telephone.
    """

    speech: tuple[SpeechSpan, ...]
    pieces: tuple[SpeechSpan, ...]
    embeddings: NDArray[np.float32]
    narrow: bool


class Diariser:
    """Tells speakers apart, with the models that a plan names."""

    def __init__(
        self, stages: StageRunner, codecs: Codecs, transcriber: Transcriber, voices: VoiceEmbedder
    ) -> None:
        self._stages = stages
        self._codecs = codecs
        self._transcriber = transcriber
        self._voices = voices

    async def transcribe(
        self, audio: Audio, plan: Diarising, known: Sequence[KnownSpeaker], context: Context
    ) -> DiarisedTranscript:
        """Write down who says what; words need their times, so the plan must ask for them."""
        parts: list[Any] = await all_of(
            [self.hear(audio, plan, context), self.references(known, plan.voices, context)]
        )
        (transcript, voices), references = parts
        return await self.told(transcript, voices, plan, known, references, context)

    async def hear(
        self, audio: Audio, plan: Diarising, context: Context
    ) -> tuple[Transcript, HeardVoices]:
        """Write down what is said, and embed the voices that say it."""
        heard = await self._transcriber.listen(
            audio, plan.hearing.vad, context, plan.hearing.options.vad
        )
        parts: list[Any] = await all_of(
            [
                self._transcriber.transcribe(audio, plan.hearing, context, heard),
                self._voices_in(audio, heard[1], plan.speaker, context),
            ]
        )
        transcript, voices = parts
        return transcript, voices

    async def told(
        self,
        transcript: Transcript,
        voices: HeardVoices,
        plan: Diarising,
        known: Sequence[KnownSpeaker],
        references: Sequence[NDArray[np.float32]],
        context: Context,
    ) -> DiarisedTranscript:
        """Say who said what. ``references``: what ``references`` returned for the known."""
        who = await self._told_apart(voices, plan.speaker, known, references, context)
        said = await self._run(lambda: said_by(transcript.segments, who), context)
        return DiarisedTranscript(transcript, said, who)

    async def spans(
        self,
        audio: Audio,
        heard: VadResult,
        plan: Embedding,
        known: Sequence[KnownSpeaker],
        context: Context,
    ) -> tuple[SpeakerSpan, ...]:
        """Say who speaks when. Speakers are named as they are known, or else A, B, and so on."""
        references = await self.references(known, plan, context)
        voices = await self._voices_in(audio, heard, plan.speaker, context)
        return await self._told_apart(voices, plan.speaker, known, references, context)

    async def _voices_in(
        self, audio: Audio, heard: VadResult, speaker: Model, context: Context
    ) -> HeardVoices:
        def prepared() -> tuple[Sequence[SpeechSpan], list[SpeechSpan], bool]:
            speech = spans(heard.probabilities, TURN_VAD, audio.duration_s)
            cut = pieces(speech)
            return speech, cut, is_narrow(audio.samples, cut)

        speech, cut, narrow = await self._run(prepared, context)
        embeddings = await self._embedded(audio, cut, speaker, context)
        return HeardVoices(tuple(speech), tuple(cut), embeddings, narrow)

    async def _told_apart(
        self,
        voices: HeardVoices,
        speaker: Model,
        known: Sequence[KnownSpeaker],
        references: Sequence[NDArray[np.float32]],
        context: Context,
    ) -> tuple[SpeakerSpan, ...]:
        rules = rules_of(speaker.spec.engine)

        def told_apart() -> tuple[SpeakerSpan, ...]:
            heard = voices.speech, voices.pieces, voices.embeddings
            turns = tell_apart(*heard, rules, references, narrow=voices.narrow)
            return named(turns, known, references, rules)

        with context.timings.stage("diarise"):
            return await self._run(told_apart, context)

    async def _embedded(
        self, audio: Audio, cut: Sequence[SpeechSpan], speaker: Model, context: Context
    ) -> NDArray[np.float32]:
        """Embed the pieces of a recording: [n, d]."""

        async def one(piece: SpeechSpan) -> NDArray[np.float32]:
            item = SpeakerItem(samples_of(audio.samples, piece))
            voiceprint: Voiceprint = await self._stages.run("speaker", speaker, item, context)
            return voiceprint.embedding

        rows: list[NDArray[np.float32]] = []
        for first in range(0, len(cut), TASKS):
            rows += await all_of(map(one, cut[first : first + TASKS]))
        return np.stack(rows) if rows else np.empty((0, 1), np.float32)

    async def references(
        self, known: Sequence[KnownSpeaker], plan: Embedding, context: Context
    ) -> list[NDArray[np.float32]]:
        """Embed the clips of known speakers: [d] each.

        Raises:
            InvalidRequest: nobody speaks in one.
        """
        voices = await all_of(self._voices.embed(each.clip, plan, context) for each in known)
        for speaker, voice in zip(known, voices, strict=True):
            if voice.speech_s == 0:
                message = f"nobody speaks in the clip of {speaker.name!r}"
                raise InvalidRequest(message, param="known")
        return [voice.voiceprint.embedding for voice in voices]

    async def _run(self, call: Callable[[], R], context: Context) -> R:
        return await self._codecs.run(call, context.deadline, context.caller)


def named(
    found: Turns,
    known: Sequence[KnownSpeaker],
    references: Sequence[NDArray[np.float32]],
    rules: Rules,
) -> tuple[SpeakerSpan, ...]:
    """Name the speakers: the nearest known one, or else A to Z, A1 and so on, as they begin."""
    taken = {each.name for each in known}
    every = (f"{letter}{number or ''}" for number in count() for letter in ascii_uppercase)
    free = (name for name in every if name not in taken)
    names: dict[int, str] = {}
    for number in dict.fromkeys(turn.speaker for turn in found.turns):
        cosines = [float(each @ found.centroids[number]) for each in references]
        nearest = max(cosines, default=-1.0)
        is_known = nearest >= rules.known_threshold
        names[number] = known[cosines.index(nearest)].name if is_known else next(free)
    spoken = [SpeakerSpan(t.start_s, t.end_s, names[t.speaker]) for t in found.turns]
    return tuple(_joined(spoken))


def _joined(spoken: Sequence[SpeakerSpan]) -> Iterator[SpeakerSpan]:
    """Join what one speaker says with short pauses and nobody else between."""
    last: SpeakerSpan | None = None
    for span in spoken:
        if last and last.speaker == span.speaker and span.start_s - last.end_s <= SAME_TURN_S:
            last = replace(last, end_s=span.end_s)
            continue
        if last:
            yield last
        last = span
    if last:
        yield last
