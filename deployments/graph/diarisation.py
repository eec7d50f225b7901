"""Tell who speaks when in a recording, and who said which words of its transcript."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, groupby
from string import ascii_uppercase
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from deployments.batching.concurrency import all_of
from deployments.catalogue.model import Model
from deployments.graph.codecs import Codecs
from deployments.graph.context import Context
from deployments.graph.plan import Embedding, Hearing
from deployments.graph.stages import StageRunner
from deployments.graph.transcription import Transcriber
from deployments.graph.voice_embeddings import VoiceEmbedder
from models.errors import InvalidRequest
from models.speaker.turns import Rules, Turns, is_narrow, pieces, rules_of, samples_of, tell_apart
from models.types import (
    Audio,
    Segment,
    SpeakerItem,
    SpeechSpan,
    Transcript,
    VadParameters,
    VadResult,
    Voiceprint,
    Word,
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


@dataclass(frozen=True, slots=True, eq=False)
class KnownSpeaker:
    """Somebody who may speak, with a clip of their voice at 16 kHz."""

    name: str
    clip: Audio


@dataclass(frozen=True, slots=True)
class SpeakerSpan:
    """Speech of one speaker."""

    start_s: float
    end_s: float
    speaker: str


@dataclass(frozen=True, slots=True)
class Said:
    """What one speaker says at a stretch."""

    start_s: float
    end_s: float
    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class DiarisedTranscript:
    """A transcript, what each speaker says of it, and who speaks when."""

    transcript: Transcript
    said: tuple[Said, ...]
    spans: tuple[SpeakerSpan, ...]


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
        heard = await self._transcriber.listen(
            audio, plan.hearing.vad, context, plan.hearing.options.vad
        )

        async def text() -> Transcript:
            return await self._transcriber.transcribe(audio, plan.hearing, context, heard)

        async def speakers() -> tuple[SpeakerSpan, ...]:
            voices = Embedding(plan.speaker, plan.hearing.vad)
            return await self.spans(audio, heard[1], voices, known, context)

        parts: list[Any] = await all_of([text(), speakers()])
        transcript, who = parts
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

        def prepared() -> tuple[Sequence[SpeechSpan], list[SpeechSpan], bool]:
            speech = spans(heard.probabilities, TURN_VAD, audio.duration_s)
            cut = pieces(speech)
            return speech, cut, is_narrow(audio.samples, cut)

        speech, cut, narrow = await self._run(prepared, context)
        rules = rules_of(plan.speaker.spec.engine)
        references = await self._known(known, plan, context)
        embeddings = await self._embedded(audio, cut, plan.speaker, context)

        def told_apart() -> tuple[SpeakerSpan, ...]:
            turns = tell_apart(speech, cut, embeddings, rules, references, narrow=narrow)
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

    async def _known(
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


# ---- who said which words ---------------------------------------------------------------


class Who:
    """Finds the speaker of a stretch: of whom most is heard in it, or who is nearest."""

    def __init__(self, who: Sequence[SpeakerSpan]) -> None:
        self._spans = who
        self._starts_s = [span.start_s for span in who]

    def speaks(self, start_s: float, end_s: float) -> str:
        """Name the speaker; without any, it is the first one."""
        if not self._spans:
            return ascii_uppercase[0]
        middle_s = (start_s + end_s) / 2
        first = max(0, bisect_right(self._starts_s, start_s) - 1)
        last = max(first + 1, bisect_right(self._starts_s, end_s) + 1)
        near = self._spans[first:last]

        def distance(span: SpeakerSpan) -> tuple[float, float]:
            overlap_s = min(end_s, span.end_s) - max(start_s, span.start_s)
            away_s = max(span.start_s - middle_s, middle_s - span.end_s, 0.0)
            return -max(overlap_s, 0.0), away_s

        return min(near, key=distance).speaker


def said_by(segments: Sequence[Segment], who: Sequence[SpeakerSpan]) -> tuple[Said, ...]:
    """Cut the segments of a transcript where the speaker changes."""
    speakers = Who(who)
    found = []
    for segment in segments:
        words = segment.words or (Word(segment.start_s, segment.end_s, segment.text, 1.0),)
        for speaker, run in groupby(words, lambda w: speakers.speaks(w.start_s, w.end_s)):
            own = list(run)
            text = "".join(word.text for word in own).strip()
            if text:
                found.append(Said(own[0].start_s, own[-1].end_s, speaker, text))
    return tuple(found)
