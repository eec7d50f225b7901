"""The speech-translation graph: VAD, ASR, translation and synthesis, the embedding beside them.

A long recording is cut into windows at its silences, a window's transcript into sentences.
Each sentence is translated and spoken as soon as it is there; windows and sentences of all
requests meet in the models' batchers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from deployments.batching.concurrency import all_of
from deployments.batching.statistics import Stages, reason_of
from deployments.catalogue.selection import Fleet
from deployments.config.schema import AppConfig
from deployments.graph.audio_files import AudioFiles
from deployments.graph.codecs import Codecs
from deployments.graph.context import Context
from deployments.graph.diarisation import Diariser
from deployments.graph.in_turn import InTurn, while_working
from deployments.graph.languages import cut_windows
from deployments.graph.plan import Hearing, Plan, Planner, Speaking, Translating
from deployments.graph.sentences import Sentence, is_open, placed, timed_sentences, with_open
from deployments.graph.speakers import Speakers, SpeakerVoice, SpeakerVoices
from deployments.graph.stages import StageRunner
from deployments.graph.synthesis import Synthesiser
from deployments.graph.text_translation import TextTranslator
from deployments.graph.transcription import Transcriber, asked_of
from deployments.graph.transcripts import in_recording, joined, transcript_of
from deployments.graph.voice_embeddings import HeardVoice, VoiceEmbedder
from models.audio import decode
from models.errors import DragomanError
from models.runtime import Voice
from models.speaker.voice_clips import cut
from models.types import (
    UNDETERMINED,
    AnswerWarning,
    Audio,
    SpeechSpan,
    Transcript,
    VadResult,
)


@dataclass(frozen=True, slots=True, eq=False)
class SpeechTranslation:
    """The graph's answer. Silence has no sentences, no language and no audio.

    Attributes:
        pivot: the language between the two, where there is one.
        voice_similarity: cosine of the speaker's voice and the answer's; None: there are several.
        speakers: those who were told apart.
    """

    duration_s: float
    language: str | None
    language_probability: float
    sentences: tuple[Sentence, ...] = ()
    voice: Voice | None = None
    audio: Audio | None = None
    heard_voice: HeardVoice | None = None
    pivot: str | None = None
    voice_similarity: float | None = None
    speakers: tuple[SpeakerVoice, ...] = ()

    @property
    def text(self) -> str:
        return " ".join(sentence.text for sentence in self.sentences)

    @property
    def translation(self) -> str:
        return " ".join(sentence.translation for sentence in self.sentences)


class Pipeline:
    """The graph and its parts, for every protocol. ``codecs`` runs what decodes and encodes.

    A handler parses a request, asks ``planner`` for its plan, and hands that to ``run`` or to the
    one part that it needs.
    """

    def __init__(self, fleet: Fleet, config: AppConfig, codecs: Codecs) -> None:
        self.fleet = fleet
        self.codecs = codecs
        self.planner = Planner(fleet)
        self.files = AudioFiles(codecs, config.limits.max_audio_s)
        self.stages = StageRunner(config.limits.max_items_in_flight)
        self.transcriber = Transcriber(self.stages, codecs)
        self.texts = TextTranslator(self.stages)
        self.synthesiser = Synthesiser(self.stages, fleet, config.ingress.sentence_gap_s)
        self.voices = VoiceEmbedder(self.stages, codecs, self.transcriber)
        diariser = Diariser(self.stages, codecs, self.transcriber, self.voices)
        self.speakers = SpeakerVoices(diariser, self.voices, codecs, self.synthesiser)

    async def run(
        self, recordings: Sequence[Audio], plans: Sequence[Plan | Hearing], context: Context
    ) -> list[SpeechTranslation]:
        """Run one request to the whole graph: each recording by its own plan, in order."""
        with self._counted(recordings, context):
            return await all_of(
                self._planned(audio, plan, context)
                for audio, plan in zip(recordings, plans, strict=True)
            )

    def run_in_turn(
        self, audio: Audio, plan: Plan, context: Context
    ) -> AsyncGenerator[Sentence | SpeechTranslation]:
        """Run a request of one recording: yield each sentence in turn, and the whole at the end.

        Close the generator to drop what is still to come.
        """

        async def work(turns: InTurn[Sentence]) -> SpeechTranslation:
            with self._counted([audio], context):
                return await self.translate_speech(audio, plan, context, turns)

        return while_working(work)

    @contextmanager
    def _counted(self, recordings: Sequence[Audio], context: Context) -> Iterator[None]:
        """Count what runs inside as one request to the graph."""
        statistics, started = self.fleet.graph, time.perf_counter()
        try:
            yield
        except BaseException as error:
            statistics.failed(time.perf_counter() - started, reason_of(error))
            if isinstance(error, DragomanError):
                error.is_counted = True
            raise
        duration_s = time.perf_counter() - started
        queue_s = min(duration_s, sum(s.queue_ms for s in context.timings.stages()) / 1000)
        stages = Stages(queue_s=queue_s, infer_s=duration_s - queue_s)
        rows, audio_s = len(recordings), sum(audio.duration_s for audio in recordings)
        statistics.executed(rows, rows, stages, cost=audio_s, useful=audio_s)
        statistics.succeeded(duration_s, stages)

    async def _planned(
        self, audio: Audio, plan: Plan | Hearing, context: Context
    ) -> SpeechTranslation:
        if isinstance(plan, Plan):
            return await self.translate_speech(audio, plan, context)
        heard = await self.transcriber.transcribe(audio, plan, context)
        return _answer(audio, heard, timed_sentences(heard))

    async def translate_speech(
        self,
        audio: Audio,
        plan: Plan,
        context: Context,
        turns: InTurn[Sentence] | None = None,
    ) -> SpeechTranslation:
        """Translate speech in one language to text and speech in another.

        Args:
            turns: told each sentence once it and those before it are done.

        Raises:
            UnsupportedPair: no model translates anything that was said.
            Unavailable: a model was unloaded before its work was done.
        """
        audio, heard = await self.transcriber.listen(audio, plan.hearing.vad, context)
        if not heard.spans:
            return SpeechTranslation(audio.duration_s, None, 0.0)
        speakers = await self.speakers.tell(audio, heard, plan, context, apart=turns is None)
        parts: list[Awaitable[Any]] = [
            self._sentences(audio, heard, plan, speakers, context, turns)
        ]
        if plan.embedding is not None or plan.likeness is not None:
            parts.append(self._heard_voice(audio, heard, plan, context))
        (transcript, sentences), *voices = await all_of(parts)
        voice: HeardVoice | None = voices[0] if voices else None
        context.warnings.extend(dict.fromkeys(w for s in sentences for w in s.warnings))
        answer = replace(
            _answer(audio, transcript, sentences),
            pivot=_pivot(sentences, plan.translating),
            heard_voice=None if plan.embedding is None else voice,
        )
        if (speaking := plan.speaking) is None or not sentences:
            return answer
        audible = [sentence.audio for sentence in sentences if sentence.audio is not None]
        spoken = self.synthesiser.joined(audible, speaking)
        answer = replace(answer, voice=speaking.voice, audio=spoken)
        if speakers.own:
            told = await self.speakers.likenesses(speakers, sentences, audio, plan, context)
            return replace(answer, speakers=told)
        similarity = await self.voices.likeness(voice, spoken, plan.likeness, context)
        return replace(answer, voice_similarity=similarity, speakers=speakers.alike(similarity))

    async def _heard_voice(
        self, audio: Audio, heard: VadResult, plan: Plan, context: Context
    ) -> HeardVoice | None:
        """Embed the speaker's voice where it is asked for, or to tell a likeness."""
        if plan.embedding is not None:
            return await self.voices.embed(audio, plan.embedding, context, heard)
        return await self.voices.embed_if_possible(audio, heard, plan.likeness, context)

    async def _sentences(
        self,
        audio: Audio,
        heard: VadResult,
        plan: Plan,
        speakers: Speakers,
        context: Context,
        turns: InTurn[Sentence] | None,
    ) -> tuple[Transcript, list[Sentence]]:
        """Recognise each window, and translate and speak its sentences as soon as it can be.

        A sentence that a window leaves open ends in the next one. What no model translates is
        passed on as it was said, and says so.

        Raises:
            UnsupportedPair: no model translates anything that was said.
        """
        options, translating = asked_of(plan.hearing), plan.translating
        asr = self.transcriber.recogniser(plan.hearing.asr, context)
        windows = await cut_windows(audio, heard.spans, options, asr)
        last = len(windows) - 1
        loop = asyncio.get_running_loop()
        left_open: list[asyncio.Future[Sentence | None]] = [loop.create_future() for _ in windows]

        async def one(number: int) -> tuple[Transcript, list[Sentence]]:
            window = windows[number]
            transcript = await transcript_of(audio, window, options, asr)
            said = [placed(sentence, window) for sentence in timed_sentences(transcript)]
            before = await left_open[number - 1] if number else None
            if before is not None:
                said = with_open(before, said)
            is_left = bool(said) and number < last and is_open(said[-1])
            left_open[number].set_result(said.pop() if is_left else None)
            made = (self._rendered(s, audio, translating, speakers, context) for s in said)
            # The window after this one goes on in its own turn of the loop: places are in order.
            rendered = await all_of(made if turns is None else map(turns.next, made))
            return in_recording(transcript, window), rendered

        parts = await all_of(map(one, range(len(windows))))
        sentences = [sentence for _, said in parts for sentence in said]
        is_translated = plan.is_part or any(
            translating.route_from(sentence.language) for sentence in sentences
        )
        if sentences and not is_translated:
            raise translating.routes.unsupported(sentences[0].language, translating.target)
        return joined([transcript for transcript, _ in parts], options.language), sentences

    async def _rendered(
        self,
        sentence: Sentence,
        audio: Audio,
        translating: Translating,
        speakers: Speakers,
        context: Context,
    ) -> Sentence:
        """Translate and speak a sentence; one that no model translates is heard as it was said."""
        sentence = speakers.named(sentence)
        speaking = speakers.speaking_for(sentence)
        route, options = translating.route_from(sentence.language), translating.options
        if route is None:
            return await self._passed_on(sentence, audio, translating.target, speaking, context)
        found = await self.texts.translate_sentence(sentence.text, route, context, options)
        spoken = None
        if speaking is not None:
            spoken = await self.synthesiser.speak(found.text, speaking, context)
        warnings = (*sentence.warnings, *found.warnings)
        return replace(sentence, translation=found.text, audio=spoken, warnings=warnings)

    async def _passed_on(
        self,
        sentence: Sentence,
        audio: Audio,
        target: str,
        speaking: Speaking | None,
        context: Context,
    ) -> Sentence:
        own = None
        if speaking is not None:
            clip = cut(audio, SpeechSpan(sentence.start_s, sentence.end_s))
            steps = decode.resample_steps(clip, speaking.voice.sample_rate_hz)
            own = await self.codecs.run(steps, context.deadline, context.caller)
        message = (
            f"this is in {sentence.language}, which no model here translates to "
            f"{target}; it is passed on as it was said"
        )
        warnings = (*sentence.warnings, AnswerWarning("untranslated", message))
        return replace(sentence, translation=sentence.text, audio=own, warnings=warnings)


def _answer(
    audio: Audio, transcript: Transcript, sentences: Sequence[Sentence]
) -> SpeechTranslation:
    language = None if transcript.language == UNDETERMINED else transcript.language
    probability = transcript.language_probability
    return SpeechTranslation(audio.duration_s, language, probability, tuple(sentences))


def _pivot(sentences: Sequence[Sentence], translating: Translating) -> str | None:
    """Name the language between, of the first sentence that was translated."""
    routes = (translating.route_from(sentence.language) for sentence in sentences)
    first = next((route for route in routes if route is not None), None)
    return None if first is None else first.pivot
