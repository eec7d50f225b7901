"""Embed the voice that is heard in a recording, and compare it with the one that answers."""

from __future__ import annotations

from dataclasses import dataclass

from deployments.catalogue.model import Model
from deployments.graph.codecs import Codecs
from deployments.graph.context import Context
from deployments.graph.listening import LONG_SAMPLES
from deployments.graph.plan import Embedding
from deployments.graph.stages import StageRunner
from deployments.graph.transcription import Transcriber
from deployments.telemetry.log import logger
from models.audio import decode
from models.errors import DragomanError
from models.speaker.voice_clips import EMBEDDING_SPEECH_S, cut, voice_in
from models.types import (
    SAMPLE_RATE_HZ,
    AnswerWarning,
    Audio,
    SpeakerItem,
    SpeechSpan,
    VadResult,
    Voiceprint,
)

LITTLE_SPEECH_S = 1.0  # less of it tells one voice from another badly
NO_SPEECH = AnswerWarning("no_speech", "no speech was found in a clip; it was taken as it is")
LITTLE_SPEECH = AnswerWarning(
    "little_speech",
    f"a clip has less than {LITTLE_SPEECH_S:g} s of speech: its speaker is hard to tell",
)


@dataclass(frozen=True, slots=True, eq=False)
class HeardVoice:
    """The voice of a clip. ``speech_s``: how much speech the clip has; None: nobody looked."""

    voiceprint: Voiceprint
    speech_s: float | None = None

    @property
    def warnings(self) -> tuple[AnswerWarning, ...]:
        """Say where there is too little speech to tell a voice."""
        if self.speech_s is None or self.speech_s >= LITTLE_SPEECH_S:
            return ()
        return (LITTLE_SPEECH,) if self.speech_s else (NO_SPEECH,)

    @property
    def rounded_speech_s(self) -> float | None:
        """Round to milliseconds, as answers have it."""
        return None if self.speech_s is None else round(self.speech_s, 3)


class VoiceEmbedder:
    """Embeds voices, with the models that a plan names."""

    def __init__(self, stages: StageRunner, codecs: Codecs, transcriber: Transcriber) -> None:
        self._stages = stages
        self._codecs = codecs
        self._transcriber = transcriber

    async def embed(
        self, audio: Audio, plan: Embedding, context: Context, heard: VadResult | None = None
    ) -> HeardVoice:
        """Embed the speech of a clip; without a VAD, the clip as it is.

        ``heard``: what the VAD said of the clip, where it has been asked.
        """
        if heard is None and plan.vad is not None:
            _, heard = await self._transcriber.listen(audio, plan.vad, context)
        if heard is None:
            return HeardVoice(await self._voiceprint(audio, plan.speaker, context))
        voice, speech_s = await self._voice_in(audio, heard, context)
        found = HeardVoice(await self._voiceprint(voice, plan.speaker, context), speech_s)
        context.warnings.extend(found.warnings)
        return found

    async def embed_if_possible(
        self, audio: Audio, heard: VadResult, speaker: Model | None, context: Context
    ) -> HeardVoice | None:
        """Embed a voice that nobody asked for; None where that fails."""
        if speaker is None:
            return None
        voice, _ = await self._voice_in(audio, heard, context)
        voiceprint = await self.voiceprint_if_possible(voice, speaker, context)
        return None if voiceprint is None else HeardVoice(voiceprint)

    async def likeness(
        self,
        voice: HeardVoice | None,
        spoken: Audio,
        speaker: Model | None,
        context: Context,
    ) -> float | None:
        """Return the cosine between a speaker's voice and the one that speaks for them.

        None where there is no speech, or no model that tells.
        """
        if speaker is None or voice is None or not len(spoken.samples):
            return None
        end = SpeechSpan(0.0, min(spoken.duration_s, EMBEDDING_SPEECH_S))
        steps = decode.resample_steps(cut(spoken, end), SAMPLE_RATE_HZ)
        clip = await self._codecs.run(steps, context.deadline, context.caller)
        answer = await self.voiceprint_if_possible(clip, speaker, context)
        return None if answer is None else float(voice.voiceprint.embedding @ answer.embedding)

    async def _voice_in(
        self, audio: Audio, heard: VadResult, context: Context
    ) -> tuple[Audio, float]:
        """Cut a clip to its speech, and count the seconds of it."""
        if len(audio.samples) <= LONG_SAMPLES:
            return voice_in(audio, heard)
        return await self._codecs.run(
            lambda: voice_in(audio, heard), context.deadline, context.caller
        )

    async def _voiceprint(self, audio: Audio, speaker: Model, context: Context) -> Voiceprint:
        item = SpeakerItem(audio.samples)
        voiceprint: Voiceprint = await self._stages.run("speaker", speaker, item, context)
        return voiceprint

    async def voiceprint_if_possible(
        self, audio: Audio, speaker: Model, context: Context
    ) -> Voiceprint | None:
        """Embed for a likeness, for which no translation must be lost."""
        try:
            return await self._voiceprint(audio, speaker, context)
        except DragomanError as error:
            logger.warning("the likeness of a voice is not known: %s", error)
            return None
