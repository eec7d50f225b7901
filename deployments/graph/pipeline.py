"""The speech-translation graph: VAD, ASR, translation and synthesis, the embedding beside them.

A long recording is cut into windows at its silences, a window's transcript into sentences.
Each sentence is translated and spoken as soon as it is there; windows and sentences of all
requests meet in the models' batchers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from deployments.batching.concurrency import all_of, in_order
from deployments.batching.estimates.throughput import is_too_long
from deployments.batching.leaving import BATCHES_A_REPLICA
from deployments.batching.queue import Share
from deployments.batching.refusals import queue_full, queue_too_long
from deployments.batching.request import Request
from deployments.batching.statistics import ModelStatistics, Stages, reason_of
from deployments.catalogue.selection import Fleet, Hop, Model, pivot
from deployments.config.schema import AppConfig
from deployments.graph.codecs import Caller, Codecs, Work
from deployments.graph.hearing import (
    LONG_SAMPLES,
    Asr,
    TranscribeOptions,
    cut_windows,
    in_recording,
    joined,
    listen,
    transcript_of,
)
from deployments.graph.recording import (
    EMBEDDING_SPEECH_S,
    HeardVoice,
    Sentence,
    cut,
    doubts,
    is_open,
    language_doubts,
    placed,
    reference,
    timed_sentences,
    voice_in,
    with_open,
)
from deployments.graph.timings import Timings
from deployments.telemetry import usage
from deployments.telemetry.log import logger
from models.audio import decode as audio_io
from models.audio import encode as encoding
from models.audio.segments import Window
from models.errors import DragomanError
from models.runtime import Voice
from models.text.doubts import joined as joined_warnings
from models.text.items import find
from models.text.sentences import split
from models.tts import normalisation
from models.types import (
    SAMPLE_RATE_HZ,
    SOURCE_VOICE,
    UNDETERMINED,
    AnswerWarning,
    Audio,
    Item,
    NmtItem,
    Samples,
    SpeakerItem,
    Speech,
    SpeechSpan,
    Transcript,
    Translation,
    TtsItem,
    VadResult,
    Voiceprint,
)

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Context:
    """What goes with one request through every stage."""

    deadline: float  # on the event loop's clock
    priority: int = 0  # 1 is the most urgent; 0: each model's default
    queue_timeout_s: float | None = None  # what it may wait in each model's queue
    timings: Timings = field(default_factory=Timings)
    places: dict[str, asyncio.Semaphore] = field(default_factory=dict)  # model -> its own
    joint: dict[str, Request[Any, Any]] = field(default_factory=dict)  # model -> see ``as_one``
    warnings: list[AnswerWarning] = field(default_factory=list)  # of the request as a whole
    caller: Caller = field(default_factory=Caller)  # of codecs
    shares: dict[str, Share] = field(default_factory=dict)  # model -> its part of that one's time


@dataclass(frozen=True, slots=True)
class TextOptions:
    """How to translate text, where the engine can; see ``NmtItem``."""

    beam_size: int = 1
    length_penalty: float = 1.0
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class TranslateOptions:
    """How to translate speech. ``speak`` False: text only.

    The ``voice`` ``SOURCE_VOICE`` is the speaker's own.
    """

    target_language: str
    source_language: str | None = None
    voice: str | None = None
    speed: float = 1.0
    speak: bool = True
    embed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Speaking:
    """How to speak: with which voice of which model. ``reference``: the voice to speak in."""

    model: Model
    voice: Voice
    speed: float
    reference: Samples | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SpeechTranslation:
    """The graph's answer. Silence has no sentences, no language and no audio."""

    duration_s: float
    language: str | None
    language_probability: float
    sentences: tuple[Sentence, ...]
    voice: Voice | None
    audio: Audio | None
    heard_voice: HeardVoice | None
    pivot: str | None = None  # the language between the two, where there is one
    voice_similarity: float | None = None  # cosine of the speaker's voice and the answer's

    @property
    def text(self) -> str:
        return " ".join(sentence.text for sentence in self.sentences)

    @property
    def translation(self) -> str:
        return " ".join(sentence.translation for sentence in self.sentences)


class Pipeline:
    """The graph and its parts, for every protocol. ``codecs`` runs what decodes and encodes."""

    def __init__(self, fleet: Fleet, config: AppConfig, codecs: Codecs) -> None:
        self.fleet = fleet
        self._limits = config.limits
        self._gap_s = config.ingress.sentence_gap_s
        self._codecs = codecs

    # ---- audio in and out --------------------------------------------------------------

    async def decode(
        self, data: bytes, context: Context, *, max_duration_s: float | None = None
    ) -> Audio:
        """Any common container to mono 16 kHz; see ``models.audio.decode`` for the errors."""
        limit_s = self._limits.max_audio_s if max_duration_s is None else max_duration_s
        with context.timings.stage("decode"):
            steps = audio_io.decode_steps(data, max_duration_s=limit_s)
            audio = await self.off_loop(steps, context.deadline, context.caller)
        usage.heard(audio.duration_s)
        context.warnings.extend(audio.warnings)
        return audio

    async def encode(
        self, audio: Audio, audio_format: encoding.AudioFormat, context: Context
    ) -> bytes:
        with context.timings.stage("encode"):
            steps = encoding.encode_steps(audio, audio_format)
            return await self.off_loop(steps, context.deadline, context.caller)

    async def encode_stream(
        self,
        parts: AsyncGenerator[Audio],
        audio_format: encoding.AudioFormat,
        context: Context,
    ) -> AsyncGenerator[bytes]:
        """One file of all parts, in pieces that can be sent at once; nothing of no parts."""
        encoder: encoding.Encoder | None = None
        async with aclosing(parts):
            async for part in parts:
                with context.timings.stage("encode"):
                    if encoder is None:
                        encoder = encoding.encoder(audio_format, part.sample_rate_hz)
                    steps = encoding.add_steps(encoder, part)
                    data = await self.off_loop(steps, context.deadline, context.caller)
                if data:
                    yield data
        if encoder is not None:
            with context.timings.stage("encode"):
                rest = await self.off_loop(encoder.finish, context.deadline, context.caller)
            if rest:
                yield rest

    async def off_loop(self, work: Work[R], deadline: float, caller: Caller | None = None) -> R:
        """The one place that offloads: what would hold up everybody's requests.

        See ``Codecs.run``.
        """
        return await self._codecs.run(work, deadline, caller)

    # ---- before any work is done -------------------------------------------------------

    def admit(
        self,
        models: Sequence[Model],
        context: Context,
        statistics: ModelStatistics | None = None,
    ) -> None:
        """Refuse now what its models' queues would refuse, before its audio is decoded.

        What the last of several models refuses has cost the others their time, too. A refusal
        counts in ``statistics``; None: in those of the model whose queue is to blame.

        Raises:
            QueueFull: a queue has no place, or all together take longer than the deadline.
        """
        models = [model for model in models if not model.batcher.caches]
        full = [model for model in models if not model.batcher.has_room()]
        expected_s = [model.batcher.expected_s(context.priority) for model in models]
        left_s = context.deadline - asyncio.get_running_loop().time()
        if not full and not is_too_long(sum(expected_s), left_s):
            return
        longest_s = max(expected_s)
        to_blame = full[0] if full else models[expected_s.index(longest_s)]
        statistics = statistics or to_blame.batcher.statistics
        statistics.refused += 1
        statistics.failed(0.0, "REJECTED")
        name = to_blame.name
        refused = queue_full(name) if full else queue_too_long(name, longest_s)
        refused.is_counted = True
        raise refused

    # ---- single stages -----------------------------------------------------------------

    async def transcribe(
        self, audio: Audio, options: TranscribeOptions, context: Context, model: Model | None = None
    ) -> Transcript:
        """The transcript of a recording of any length; times count from its start."""
        asr = self._asr(model or self.fleet.pick("asr"), context)
        audio, speech = await self._listen(audio, context)

        async def one(window: Window) -> Transcript:
            return in_recording(await transcript_of(audio, window, options, asr), window)

        windows = await cut_windows(audio, speech.spans, options, asr)
        parts = await all_of(map(one, windows))
        warnings = [warning for part in parts for warning in language_doubts(part)]
        warnings += [w for part in parts for segment in part.segments for w in doubts(segment)]
        context.warnings.extend(dict.fromkeys(warnings))
        return joined(parts, options.language)

    def _asr(self, model: Model, context: Context) -> Asr:
        return lambda item: self._run("asr", model, item, context)

    async def translate(
        self,
        originals: Sequence[str],
        route: Sequence[Hop],
        context: Context,
        options: TextOptions = TextOptions(),
    ) -> list[Translation]:
        """Each text's translation, with what is doubtful in any of its sentences.

        Sentences of all texts share batches.
        """
        source, target = route[0].source, route[-1].target

        async def one(original: str) -> Translation:
            pieces = split(original, source, whole=find(original))
            translated = await all_of(
                self._translate_sentence(sentence, route, context, options)
                for sentence in pieces.sentences
            )
            text = pieces.join([each.text for each in translated], target)
            warnings = joined_warnings(each.warnings for each in translated)
            return Translation(text, source, target, warnings)

        translations = await all_of(map(one, originals))
        context.warnings.extend(joined_warnings(each.warnings for each in translations))
        return translations

    async def speak(self, text: str, speaking: Speaking, context: Context) -> Audio:
        """A text of any length, spoken sentence by sentence with a short silence between."""
        spoken = await all_of(
            self._speak_sentence(sentence, speaking, context)
            for sentence in normalisation.sentences(text, speaking.voice.language)
        )
        return self._joined(spoken, speaking)

    async def speak_in_turn(
        self, sentences: Sequence[str], speaking: Speaking, context: Context
    ) -> AsyncGenerator[Audio]:
        """What ``speak`` joins, each sentence as soon as it and those before it are spoken.

        Sentences without a sound are left out. No more of them are asked for at once than keep the
        model busy: what is heard later would only stand before other callers' first sentences.
        Close the generator to drop what is still to come.
        """
        gap_s, model = 0.0, speaking.model
        batches = BATCHES_A_REPLICA * self.fleet.placements()[model.name].replicas
        places = min(batches * model.batcher.policy.max_batch_size, self._most_places(model))
        context.places[model.name] = asyncio.Semaphore(places)
        speak = partial(self._speak_sentence, speaking=speaking, context=context)
        async with aclosing(in_order(speak, sentences)) as spoken:
            async for audio in spoken:
                if len(audio.samples):
                    yield audio_io.after_silence(audio, gap_s)
                    gap_s = self._gap_s / speaking.speed

    async def embed(
        self,
        audio: Audio,
        context: Context,
        model: Model | None = None,
        heard: VadResult | None = None,
    ) -> HeardVoice:
        """The speaker embedding of the speech in a clip; without a VAD, of the clip as it is.

        ``heard``: what the VAD said of the clip, where it has been asked.
        """
        model = model or self.fleet.pick("speaker")
        if heard is None and self.fleet.has("vad"):
            _, heard = await self._listen(audio, context)
        if heard is None:
            return HeardVoice(await self._voiceprint(audio, context, model))
        voice, speech_s = await self._voice_in(audio, heard, context)
        found = HeardVoice(await self._voiceprint(voice, context, model), speech_s)
        context.warnings.extend(found.warnings)
        return found

    async def _voice_in(
        self, audio: Audio, heard: VadResult, context: Context
    ) -> tuple[Audio, float]:
        """See ``recording.voice_in``."""
        if len(audio.samples) <= LONG_SAMPLES:
            return voice_in(audio, heard)
        return await self.off_loop(lambda: voice_in(audio, heard), context.deadline, context.caller)

    async def _voiceprint(self, audio: Audio, context: Context, model: Model) -> Voiceprint:
        item = SpeakerItem(audio.samples)
        voiceprint: Voiceprint = await self._run("speaker", model, item, context)
        return voiceprint

    async def _translate_sentence(
        self, text: str, route: Sequence[Hop], context: Context, options: TextOptions
    ) -> Translation:
        """Translate by every hop of a route; what is doubtful in any hop is so in the last."""
        warnings: list[tuple[AnswerWarning, ...]] = []
        for hop in route:
            item = NmtItem(
                text,
                hop.source,
                hop.target,
                options.beam_size,
                options.length_penalty,
                options.max_tokens,
            )
            translation: Translation = await self._run("nmt", hop.model, item, context)
            text = translation.text
            warnings.append(translation.warnings)
        return Translation(text, route[0].source, route[-1].target, joined_warnings(warnings))

    async def _speak_sentence(self, text: str, speaking: Speaking, context: Context) -> Audio:
        voice = speaking.voice
        item = TtsItem(text, voice.id, speaking.speed, voice.language, speaking.reference)
        speech: Speech = await self._run("tts", speaking.model, item, context)
        return speech.audio

    async def _run(self, stage: str, model: Model, item: Item, context: Context) -> Any:
        """One item through one model; the only way from the graph to a batcher.

        One request's items have so many places in a model's queue: a long recording neither
        fills it nor is refused because of its own length.
        """
        if model.name not in context.places:
            context.places[model.name] = asyncio.Semaphore(self._most_places(model))
        async with context.places[model.name]:
            return await self._submit(stage, model, item, context)

    async def _submit(self, stage: str, model: Model, item: Item, context: Context) -> Any:
        with context.timings.stage(stage, model.name) as outcomes:
            joint = context.joint.get(model.name)
            if joint is None:
                with self._request(model, context) as request:
                    outcome = await request.submit(item)
            else:
                outcome = await joint.submit(item)
            outcomes.append(outcome)
        return outcome.result

    def _most_places(self, model: Model) -> int:
        return max(self._limits.max_items_in_flight, model.batcher.policy.max_batch_size)

    def _request(self, model: Model, context: Context) -> Request[Any, Any]:
        return model.batcher.request(
            deadline=context.deadline,
            priority=context.priority,
            queue_timeout_s=context.queue_timeout_s,
            share=context.shares.setdefault(model.name, Share()),
        )

    @contextmanager
    def as_one(self, models: Iterable[Model], context: Context) -> Iterator[None]:
        """What runs inside is one request of each of these models, however many its items are."""
        with ExitStack() as stack:
            stack.callback(context.joint.clear)
            for model in models:
                if model.name not in context.joint:
                    request = stack.enter_context(self._request(model, context))
                    context.joint[model.name] = request
            yield

    async def run(self, stage: str, model: Model, items: Sequence[Item], context: Context) -> Any:
        """The results of items that are one request of one model, in order."""
        if len(items) == 1:
            return [await self._submit(stage, model, items[0], context)]
        with self.as_one([model], context):
            return await all_of(self._run(stage, model, item, context) for item in items)

    # ---- the graph ---------------------------------------------------------------------

    async def graph(
        self, rows: Sequence[Awaitable[R]], audio_s: float, context: Context
    ) -> list[R]:
        """The rows of one request to the whole graph, in order, and the count of it.

        ``audio_s`` is what all rows hold.
        """
        statistics, started = self.fleet.graph, time.perf_counter()
        try:
            results = await all_of(rows)
        except BaseException as error:
            statistics.failed(time.perf_counter() - started, reason_of(error))
            if isinstance(error, DragomanError):
                error.is_counted = True
            raise
        duration_s = time.perf_counter() - started
        queue_s = min(duration_s, sum(s.queue_ms for s in context.timings.stages()) / 1000)
        stages = Stages(queue_s=queue_s, infer_s=duration_s - queue_s)
        statistics.executed(len(results), len(results), stages, cost=audio_s, useful=audio_s)
        statistics.succeeded(duration_s, stages)
        return results

    async def translate_speech(
        self, audio: Audio, options: TranslateOptions, context: Context
    ) -> SpeechTranslation:
        """Speech in one language to text and speech in another.

        Raises:
            UnsupportedPair, UnknownLanguage, UnknownVoice, Unprocessable: before any model
                runs where the request names both languages, else once the language is heard.
        """
        self.check(options)
        audio, heard = await self._listen(audio, context)
        if not heard.spans:
            return SpeechTranslation(audio.duration_s, None, 0.0, (), None, None, None)
        speaking = None
        if options.speak:
            speaking = await self._speaking(options, audio, heard, context)
        own_voice = speaking is not None and speaking.voice.id == SOURCE_VOICE
        parts: list[Awaitable[Any]] = [
            self._sentences(audio, heard.spans, options, speaking, context)
        ]
        if options.embed:
            parts.append(self.embed(audio, context, heard=heard))
        elif own_voice:
            parts.append(self._speakers_voice(audio, heard, context))
        (transcript, sentences), *voices = await all_of(parts)
        source_voice: HeardVoice | None = voices[0] if voices else None
        context.warnings.extend(dict.fromkeys(w for s in sentences for w in s.warnings))
        spoken = None
        if speaking is not None and sentences:
            audible = [sentence.audio for sentence in sentences if sentence.audio is not None]
            spoken = self._joined(audible, speaking)
        return SpeechTranslation(
            duration_s=audio.duration_s,
            language=None if transcript.language == UNDETERMINED else transcript.language,
            language_probability=transcript.language_probability,
            sentences=tuple(sentences),
            voice=speaking.voice if speaking is not None and sentences else None,
            audio=spoken,
            heard_voice=source_voice if options.embed else None,
            pivot=self._pivot(sentences, options.target_language),
            voice_similarity=await self._similarity(source_voice, spoken, context)
            if own_voice
            else None,
        )

    def check(self, options: TranslateOptions) -> None:
        """Refuse what can be refused before any model runs."""
        if options.source_language is None:
            self.fleet.check_target(options.target_language)
        else:
            self.fleet.route(options.source_language, options.target_language)
        if options.speak:
            self.fleet.voice(options.voice, options.target_language)

    def admit_translation(self, options: TranslateOptions, context: Context) -> None:
        """``check``, and ``admit`` to all models that the request will need, as far as known."""
        self.check(options)
        ahead = [self.fleet.pick("vad"), self.fleet.pick("asr")]
        if options.source_language is not None:
            route = self.fleet.route(options.source_language, options.target_language)
            ahead += [hop.model for hop in route]
        if options.speak:
            ahead.append(self.fleet.voice(options.voice, options.target_language)[0])
        self.admit(ahead, context, self.fleet.graph)

    async def _speaking(
        self, options: TranslateOptions, audio: Audio, heard: VadResult, context: Context
    ) -> Speaking:
        model, voice = self.fleet.voice(options.voice, options.target_language)
        own = None
        if voice.id == SOURCE_VOICE:
            clip = await self.off_loop(lambda: reference(audio, heard), context.deadline)
            own = clip.samples
        return Speaking(model, voice, options.speed, own)

    async def _similarity(
        self, source_voice: HeardVoice | None, spoken: Audio | None, context: Context
    ) -> float | None:
        """The cosine between the speaker's voice and the one that speaks for them."""
        if source_voice is None or spoken is None or not len(spoken.samples):
            return None
        end = SpeechSpan(0.0, min(spoken.duration_s, EMBEDDING_SPEECH_S))
        steps = audio_io.resample_steps(cut(spoken, end), SAMPLE_RATE_HZ)
        heard = await self.off_loop(steps, context.deadline, context.caller)
        answer = await self._embed_if_possible(heard, context)
        if answer is None:
            return None
        return float(source_voice.voiceprint.embedding @ answer.voiceprint.embedding)

    async def _speakers_voice(
        self, audio: Audio, heard: VadResult, context: Context
    ) -> HeardVoice | None:
        """Embed the speech of a recording, where that is possible."""
        voice, _ = await self._voice_in(audio, heard, context)
        return await self._embed_if_possible(voice, context)

    async def _embed_if_possible(self, audio: Audio, context: Context) -> HeardVoice | None:
        """Of what nobody asked for: a translation must not be lost for its likeness."""
        if not self.fleet.has("speaker"):
            return None
        try:
            voiceprint = await self._voiceprint(audio, context, self.fleet.pick("speaker"))
            return HeardVoice(voiceprint)
        except DragomanError as error:
            logger.warning("the likeness of a voice is not known: %s", error)
            return None

    async def _sentences(
        self,
        audio: Audio,
        spans: Sequence[SpeechSpan],
        options: TranslateOptions,
        speaking: Speaking | None,
        context: Context,
    ) -> tuple[Transcript, list[Sentence]]:
        """Recognise each window, and translate and speak its sentences as soon as it can be.

        A sentence that a window leaves open ends in the next one. What no model translates is
        passed on as it was said, and says so.

        Raises:
            UnsupportedPair: no model translates anything that was said.
        """
        named, target = options.source_language, options.target_language
        languages = self.fleet.sources(target) if named is None else ()
        hearing = TranscribeOptions(named, languages=languages)
        asr = self._asr(self.fleet.pick("asr"), context)
        windows = await cut_windows(audio, spans, hearing, asr)
        last = len(windows) - 1
        loop = asyncio.get_running_loop()
        left_open: list[asyncio.Future[Sentence | None]] = [loop.create_future() for _ in windows]

        async def one(number: int) -> tuple[Transcript, list[Sentence]]:
            window = windows[number]
            heard = await transcript_of(audio, window, hearing, asr)
            said = [placed(sentence, window) for sentence in timed_sentences(heard)]
            before = await left_open[number - 1] if number else None
            if before is not None:
                said = with_open(before, said)
            is_left = bool(said) and number < last and is_open(said[-1])
            left_open[number].set_result(said.pop() if is_left else None)
            ready = [self._rendered(s, audio, options, speaking, context) for s in said]
            return in_recording(heard, window), await all_of(ready)

        parts = await all_of(map(one, range(len(windows))))
        sentences = [sentence for _, said in parts for sentence in said]
        if sentences and not any(self._translates(s, target) for s in sentences):
            self.fleet.route(sentences[0].language, target)
        return joined([transcript for transcript, _ in parts], named), sentences

    def _translates(self, sentence: Sentence, target: str) -> bool:
        return self.fleet.route_or_none(sentence.language, target) is not None

    def _pivot(self, sentences: Sequence[Sentence], target: str) -> str | None:
        """Name the language between, of the first sentence that has a way."""
        routes = (self.fleet.route_or_none(sentence.language, target) for sentence in sentences)
        first = next((route for route in routes if route is not None), None)
        return None if first is None else pivot(first)

    async def _rendered(
        self,
        sentence: Sentence,
        audio: Audio,
        options: TranslateOptions,
        speaking: Speaking | None,
        context: Context,
    ) -> Sentence:
        """Translate and speak a sentence; one that no model translates is heard as it was said."""
        route = self.fleet.route_or_none(sentence.language, options.target_language)
        if route is None:
            return await self._passed_on(sentence, audio, options, speaking, context)
        translation = await self._translate_sentence(sentence.text, route, context, TextOptions())
        spoken = None
        if speaking is not None:
            spoken = await self.speak(translation.text, speaking, context)
        warnings = (*sentence.warnings, *translation.warnings)
        return replace(sentence, translation=translation.text, audio=spoken, warnings=warnings)

    async def _passed_on(
        self,
        sentence: Sentence,
        audio: Audio,
        options: TranslateOptions,
        speaking: Speaking | None,
        context: Context,
    ) -> Sentence:
        own = None
        if speaking is not None:
            clip = cut(audio, SpeechSpan(sentence.start_s, sentence.end_s))
            steps = audio_io.resample_steps(clip, speaking.voice.sample_rate_hz)
            own = await self.off_loop(steps, context.deadline, context.caller)
        message = (
            f"this is in {sentence.language}, which no model here translates to "
            f"{options.target_language}; it is passed on as it was said"
        )
        warning = AnswerWarning("untranslated", message)
        warnings = (*sentence.warnings, warning)
        return replace(sentence, translation=sentence.text, audio=own, warnings=warnings)

    def _joined(self, parts: Sequence[Audio], speaking: Speaking) -> Audio:
        """What was spoken, one after another; the silence between keeps the speed, too."""
        audible = [part for part in parts if len(part.samples)]
        if not audible:
            return Audio(np.zeros(0, np.int16), speaking.voice.sample_rate_hz)
        return audio_io.concatenate(audible, self._gap_s / speaking.speed)

    async def _listen(self, audio: Audio, context: Context) -> tuple[Audio, VadResult]:
        """See ``hearing.listen``."""
        model = self.fleet.pick("vad")

        async def off_loop(call: Callable[[], R]) -> R:
            return await self.off_loop(call, context.deadline, context.caller)

        return await listen(audio, lambda item: self._run("vad", model, item, context), off_loop)
