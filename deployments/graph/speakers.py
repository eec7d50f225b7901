"""Speak for everybody in a recording in the own voice, and tell how alike the voices are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from deployments.catalogue.model import Model
from deployments.graph.codecs import Codecs
from deployments.graph.context import Context
from deployments.graph.diarisation import Diariser
from deployments.graph.plan import Embedding, Plan, Speaking
from deployments.graph.said import SpeakerSpan, Who
from deployments.graph.sentences import Sentence
from deployments.graph.synthesis import Synthesiser
from deployments.graph.voice_embeddings import HeardVoice, VoiceEmbedder
from deployments.telemetry.log import logger
from models.errors import Unavailable
from models.speaker.voice_clips import ENOUGH_S, only, reference
from models.types import SAMPLE_RATE_HZ, AnswerWarning, Audio, Samples, SpeechSpan, VadResult

ONE_VOICE = AnswerWarning(
    "one_voice", "speakers could not be told apart: if there are several, all have one voice"
)


@dataclass(frozen=True, slots=True)
class SpeakerVoice:
    """One who speaks in a recording.

    Attributes:
        seconds: of their speech.
        similarity: cosine of their voice and the one that speaks for them; None: not known.
    """

    speaker: str
    seconds: float
    similarity: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Speakers:
    """The speakers of a recording: their spans, and the voice of each.

    Attributes:
        speaking: for all who are not in ``own``; None: nothing is spoken.
        spans: who speaks when; empty: nobody was told apart.
        own: by speaker, how to speak in their own voice; empty: there is one voice for all.
    """

    speaking: Speaking | None
    spans: tuple[SpeakerSpan, ...] = ()
    own: dict[str, Speaking] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """List the speakers in the order in which they begin."""
        return list(dict.fromkeys(span.speaker for span in self.spans))

    def named(self, sentence: Sentence) -> Sentence:
        """Return a sentence with its speaker, where speakers were told apart."""
        if not self.spans:
            return sentence
        return replace(sentence, speaker=Who(self.spans).speaks(sentence.start_s, sentence.end_s))

    def speaking_for(self, sentence: Sentence) -> Speaking | None:
        """Return how to speak a sentence that has its speaker."""
        return self.own.get(sentence.speaker or "", self.speaking)

    def alike(self, similarity: float | None) -> tuple[SpeakerVoice, ...]:
        """List the speakers, for all of whom one voice speaks."""
        return tuple(SpeakerVoice(name, self.seconds_of(name), similarity) for name in self.names)

    def seconds_of(self, name: str) -> float:
        """Return how long one speaks in all."""
        return round(sum(span.end_s - span.start_s for span in self.spans_of(name)), 3)

    def spans_of(self, name: str) -> tuple[SpeechSpan, ...]:
        """Return where one speaks, in order."""
        own = [span for span in self.spans if span.speaker == name]
        return tuple(SpeechSpan(span.start_s, span.end_s) for span in own)


class SpeakerVoices:
    """Finds the speakers of recordings and clips of their voices."""

    def __init__(
        self, diariser: Diariser, voices: VoiceEmbedder, codecs: Codecs, synthesiser: Synthesiser
    ) -> None:
        self._diariser, self._voices = diariser, voices
        self._codecs, self._synthesiser = codecs, synthesiser

    async def tell(
        self, audio: Audio, heard: VadResult, plan: Plan, context: Context, *, apart: bool
    ) -> Speakers:
        """Find out how to speak for everybody in a recording.

        Args:
            audio: the recording, as loud as it was listened to.
            heard: its speech.
            plan: of the request.
            context: the request's.
            apart: whether each speaker has the own voice; else one clip serves for all.
        """
        speaking = plan.speaking
        if speaking is None or not speaking.clones:
            return Speakers(speaking)
        clip = await self._codecs.run(lambda: reference(audio, heard), context.deadline)
        speaking = speaking.in_voice_of(clip.samples)
        if not apart:
            return Speakers(speaking)
        found = Speakers(speaking, await self._spans(audio, heard, plan, context))
        if len(found.names) < 2:
            return found

        def clips() -> dict[str, Speaking]:
            return {
                name: speaking.in_voice_of(_clip(audio, heard, found.spans_of(name)))
                for name in found.names
            }

        return replace(found, own=await self._codecs.run(clips, context.deadline, context.caller))

    async def _spans(
        self, audio: Audio, heard: VadResult, plan: Plan, context: Context
    ) -> tuple[SpeakerSpan, ...]:
        """Say who speaks when; where that cannot be told, no translation is lost for it."""
        if plan.likeness is not None:
            embedding = Embedding(plan.likeness, None)
            try:
                return await self._diariser.spans(audio, heard, embedding, (), context)
            except Unavailable as error:
                logger.warning("the speakers of a recording are not told apart: %s", error)
        context.warnings.append(ONE_VOICE)
        return ()

    async def likenesses(
        self,
        speakers: Speakers,
        sentences: Sequence[Sentence],
        audio: Audio,
        plan: Plan,
        context: Context,
    ) -> tuple[SpeakerVoice, ...]:
        """Tell of each speaker how alike the voice is that speaks for them alone."""
        found = []
        for name in speakers.names:
            own = speakers.spans_of(name)
            said = [each.audio for each in sentences if each.speaker == name and each.audio]
            similarity = None
            if said and plan.speaking is not None and plan.likeness is not None:
                spoken = self._synthesiser.joined(said, plan.speaking)
                similarity = await self._likeness(audio, own, spoken, plan.likeness, context)
            found.append(SpeakerVoice(name, speakers.seconds_of(name), similarity))
        return tuple(found)

    async def _likeness(
        self,
        audio: Audio,
        own: Sequence[SpeechSpan],
        spoken: Audio,
        speaker: Model,
        context: Context,
    ) -> float | None:
        speech = await self._codecs.run(lambda: only(audio, own), context.deadline, context.caller)
        print_ = await self._voices.voiceprint_if_possible(speech, speaker, context)
        voice = None if print_ is None else HeardVoice(print_)
        return await self._voices.likeness(voice, spoken, speaker, context)


def _clip(audio: Audio, heard: VadResult, own: tuple[SpeechSpan, ...]) -> Samples:
    """Return a clip of one speaker's voice; a short one is repeated, as engines refuse such."""
    samples = reference(audio, replace(heard, spans=own)).samples
    enough = round(ENOUGH_S * SAMPLE_RATE_HZ)
    repeated: Samples = np.tile(samples, -(-enough // len(samples)))  # type: ignore[assignment]
    return samples if len(samples) >= enough else repeated
