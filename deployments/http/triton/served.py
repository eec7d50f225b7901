"""The models as the Open Inference Protocol serves them: their tensors, and how rows run.

One row is one item of the model's batcher; a text of several sentences is one a sentence.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any, ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from deployments.batching.concurrency import all_of
from deployments.catalogue.selection import Hop, Model
from deployments.config.names import GRAPH, MODEL_VERSION
from deployments.config.schema import AppConfig, Limits
from deployments.graph.hearing import TranscribeOptions
from deployments.graph.pipeline import (
    Context,
    Pipeline,
    Speaking,
    SpeechTranslation,
    TextOptions,
    TranslateOptions,
)
from deployments.graph.recording import timed_sentences
from deployments.http.parsing import FASTEST, MAX_BEAM_SIZE, SLOWEST, check_text_length
from deployments.http.triton.rows import (
    AUDIO,
    AUDIO_LENGTH,
    SAMPLE_RATE,
    Rows,
    audio_tensors,
    naming_input,
    number_tensor,
    padded_tensor,
    text_tensor,
)
from deployments.http.triton.signature import Signature, TensorSpec
from deployments.http.triton.tensors import Tensor
from deployments.telemetry import usage
from models.audio import decode
from models.errors import DragomanError, InvalidRequest, UnknownModel, UnsupportedPair
from models.types import (
    SAMPLE_RATE_HZ,
    SOURCE_VOICE,
    UNDETERMINED,
    AsrItem,
    Audio,
    Kind,
    SpeakerItem,
    Transcript,
    VadItem,
    VadResult,
)

SPEEDS = (SLOWEST, FASTEST)
ASR_TASKS = ("transcribe", "translate")
GRAPH_TASKS = ("translate", "transcribe")
STEPS: tuple[Kind, ...] = ("vad", "asr", "nmt", "tts")  # of the graph

AUDIO_INPUTS = (
    TensorSpec(AUDIO, "FP32", (-1,), also=("INT16",)),
    TensorSpec(AUDIO_LENGTH, "INT32", (1,), optional=True),
    TensorSpec(SAMPLE_RATE, "INT32", (1,), optional=True),
)
AUDIO_OUTPUTS = (
    TensorSpec(AUDIO, "FP32", (-1,)),
    TensorSpec(AUDIO_LENGTH, "INT32", (1,)),
    TensorSpec(SAMPLE_RATE, "INT32", (1,)),
)
Wanted = Callable[[str], bool]  # whether an output was asked for


def _text(name: str, *, optional: bool = False) -> TensorSpec:
    return TensorSpec(name, "BYTES", (1,), optional=optional)


class Served(ABC):
    """One name of ``/v2/models``: a model, or a kind of which there are several."""

    kind: ClassVar[Kind]
    signature: Signature

    def __init__(self, name: str, pipeline: Pipeline, config: AppConfig) -> None:
        self.name = name
        self._pipeline = pipeline
        self._fleet = pipeline.fleet
        self._config = config
        self._limits = config.limits

    @property
    def models(self) -> list[Model]:
        """What stands behind the name. Raises NotReady or Unavailable where one cannot be used."""
        if self.name in self._config.models:
            return [self._fleet.get(self.name)]
        return self._fleet.of_kind(self.kind)

    @property
    def model(self) -> Model:
        return self.models[0]

    @property
    def max_batch_size(self) -> int:
        """Rows of one request."""
        return max(model.batcher.policy.max_batch_size for model in self.models)

    @property
    def steps(self) -> tuple[str, ...]:
        """The models that stand behind a name that is not a model's own."""
        return () if self.name in self._config.models else self._config.names_of(self.kind)

    async def infer(self, rows: Rows, wanted: Wanted, context: Context) -> list[Tensor]:
        """The outputs of checked rows.

        Raises:
            DragomanError: of the first row that fails; the message names the input.
        """
        try:
            return await self._infer(rows, wanted, context)
        except DragomanError as error:
            named = naming_input(error, self.signature.input_of)
            if named is error:
                raise
            raise named from error

    @abstractmethod
    async def _infer(self, rows: Rows, wanted: Wanted, context: Context) -> list[Tensor]: ...

    async def _at_16_khz(self, rows: Rows, context: Context) -> list[Audio]:
        audio = rows.audio(self._limits.max_audio_s)
        usage.heard(sum(each.duration_s for each in audio))
        if {each.sample_rate_hz for each in audio} == {SAMPLE_RATE_HZ}:
            return audio
        return [
            await self._pipeline.off_loop(
                decode.resample_steps(each, SAMPLE_RATE_HZ), context.deadline, context.caller
            )
            for each in audio
        ]


class Vad(Served):
    kind = "vad"
    signature = Signature(
        inputs=(*AUDIO_INPUTS, TensorSpec("STATE", "FP32", (-1,), optional=True)),
        outputs=(
            TensorSpec("SPANS", "FP32", (-1, 2)),
            TensorSpec("SPAN_COUNT", "INT32", (1,)),
            TensorSpec("PROBABILITIES", "FP32", (-1,)),
            TensorSpec("STATE", "FP32", (-1,)),
        ),
    )

    async def _infer(self, rows: Rows, wanted: Wanted, context: Context) -> list[Tensor]:
        audio, states = await self._at_16_khz(rows, context), rows.vectors("STATE")
        items = [
            VadItem(each.samples, state=state) for each, state in zip(audio, states, strict=True)
        ]
        heard = await self._pipeline.run("vad", self.model, items, context)
        spans = [[(span.start_s, span.end_s) for span in each.spans] for each in heard]
        return [
            padded_tensor("SPANS", [np.array(each, np.float32).reshape(-1, 2) for each in spans]),
            number_tensor("SPAN_COUNT", "INT32", [len(each) for each in spans]),
            padded_tensor("PROBABILITIES", [each.probabilities for each in heard]),
            padded_tensor("STATE", _states(heard)),
        ]


class Asr(Served):
    kind = "asr"
    signature = Signature(
        inputs=(
            *AUDIO_INPUTS,
            _text("LANGUAGE", optional=True),
            _text("TASK", optional=True),
            _text("PROMPT", optional=True),
        ),
        outputs=(
            _text("TEXT"),
            _text("LANGUAGE"),
            TensorSpec("LANGUAGE_PROBABILITY", "FP32", (1,)),
            _text("SEGMENTS"),
        ),
    )

    async def _infer(self, rows: Rows, wanted: Wanted, context: Context) -> list[Tensor]:
        languages, prompts = rows.languages("LANGUAGE"), rows.texts("PROMPT")
        tasks: list[Any] = rows.choices("TASK", ASR_TASKS)
        for language in filter(None, languages):
            self._fleet.check_language(language, param="language")
        audio, timed = await self._at_16_khz(rows, context), wanted("SEGMENTS")
        items = [
            AsrItem(each.samples, language, task, prompt=prompt, timestamps=timed)
            for each, language, task, prompt in zip(audio, languages, tasks, prompts, strict=True)
        ]
        heard: list[Transcript] = await self._pipeline.run("asr", self.model, items, context)
        probabilities = [each.language_probability for each in heard]
        return [
            text_tensor("TEXT", [each.text for each in heard]),
            text_tensor("LANGUAGE", [each.language for each in heard]),
            number_tensor("LANGUAGE_PROBABILITY", "FP32", probabilities),
            text_tensor("SEGMENTS", [_segments(each) for each in heard]),
        ]


class Nmt(Served):
    kind = "nmt"
    signature = Signature(
        inputs=(
            _text("TEXT"),
            _text("SOURCE_LANGUAGE"),
            _text("TARGET_LANGUAGE"),
            TensorSpec("BEAM_SIZE", "INT32", (1,), optional=True),
        ),
        outputs=(_text("TRANSLATION"),),
    )

    async def _infer(self, rows: Rows, wanted: Wanted, context: Context) -> list[Tensor]:
        texts = [text or "" for text in rows.texts("TEXT")]
        _check_texts(texts, self._limits)
        beams = rows.numbers("BEAM_SIZE", 1, 1, MAX_BEAM_SIZE)
        routes = [
            self._route(_required(source, "SOURCE_LANGUAGE"), _required(target, "TARGET_LANGUAGE"))
            for source, target in zip(
                rows.languages("SOURCE_LANGUAGE"), rows.languages("TARGET_LANGUAGE"), strict=True
            )
        ]

        async def one(text: str, route: Sequence[Hop], beam: int) -> str:
            options = TextOptions(beam_size=beam)
            (translated,) = await self._pipeline.translate([text], route, context, options)
            return translated.text

        with self._pipeline.as_one((hop.model for route in routes for hop in route), context):
            translated = await all_of(map(one, texts, routes, beams))
        return [text_tensor("TRANSLATION", translated)]

    def _route(self, source: str, target: str) -> Sequence[Hop]:
        if self.name == self.kind:
            return self._fleet.route(source, target)
        if not self.model.spec.translates(source, target):
            message = f"model '{self.name}' does not translate {source} to {target}"
            raise UnsupportedPair(message, param="target_language")
        return (Hop(self.model, source, target),)


class Tts(Served):
    kind = "tts"
    signature = Signature(
        inputs=(
            _text("TEXT"),
            _text("VOICE", optional=True),
            _text("LANGUAGE", optional=True),
            TensorSpec("SPEED", "FP32", (1,), optional=True),
            TensorSpec("REFERENCE", "FP32", (-1,), optional=True, also=("INT16",)),
            TensorSpec("REFERENCE_LENGTH", "INT32", (1,), optional=True),
        ),
        outputs=AUDIO_OUTPUTS,
    )

    async def _infer(self, rows: Rows, wanted: Wanted, context: Context) -> list[Tensor]:
        texts = [text or "" for text in rows.texts("TEXT")]
        _check_texts(texts, self._limits)
        speaking = self._speaking(rows)

        async def one(text: str, how: Speaking) -> Audio:
            audio = await self._pipeline.speak(text, how, context)
            if not len(audio.samples):
                raise InvalidRequest("it has nothing that can be spoken", param="text")
            return audio

        with self._pipeline.as_one((how.model for how in speaking), context):
            spoken = await all_of(map(one, texts, speaking))
        return await self._pipeline.off_loop(lambda: audio_tensors(spoken), context.deadline)

    def _speaking(self, rows: Rows) -> list[Speaking]:
        references: list[Any] = [None] * rows.count
        if rows.has("REFERENCE"):
            references = rows.clips("REFERENCE", "REFERENCE_LENGTH")
        speeds = rows.numbers("SPEED", 1.0, *SPEEDS)
        voices, languages = rows.texts("VOICE"), rows.languages("LANGUAGE")
        return [
            self._how(voice, language, speed, reference)
            for voice, language, speed, reference in zip(
                voices, languages, speeds, references, strict=True
            )
        ]

    def _how(self, voice: str | None, language: str | None, speed: float, own: Any) -> Speaking:
        if voice is None and language is None and self.name in self._config.models:
            voice = self.model.spec.voices[0].id
        if voice is None and language is None:
            message = "input 'VOICE' is required, or 'LANGUAGE' to choose one"
            raise InvalidRequest(message, param="VOICE")
        if language is not None:
            self._fleet.check_language(language, param="language")
        if (voice == SOURCE_VOICE) != (own is not None):
            message = f"input 'REFERENCE' is what VOICE '{SOURCE_VOICE}' sounds like: give both"
            raise InvalidRequest(message, param="REFERENCE")
        model, found = self._fleet.voice(voice, language, self.name)
        return Speaking(model, found, speed, own)


class Speaker(Served):
    kind = "speaker"

    @property
    def signature(self) -> Signature:  # type: ignore[override]
        names = (self.name,) if self.name in self._config.models else self.steps
        known = self._fleet.follower.known(names[0])
        return _of_embeddings((known and known.spec.embedding_size) or -1)

    async def _infer(self, rows: Rows, wanted: Wanted, context: Context) -> list[Tensor]:
        items = [SpeakerItem(each.samples) for each in await self._at_16_khz(rows, context)]
        prints = await self._pipeline.run("speaker", self.model, items, context)
        rows_of = [each.embedding for each in prints]
        array = rows_of[0][np.newaxis] if len(rows_of) == 1 else np.stack(rows_of)
        return [Tensor("EMBEDDING", "FP32", array)]


class SpeechTranslator(Served):
    """The whole graph, as an ensemble. Without an output of audio, nothing is synthesised."""

    signature = Signature(
        inputs=(
            *AUDIO_INPUTS,
            _text("SOURCE_LANGUAGE", optional=True),
            _text("TARGET_LANGUAGE", optional=True),
            _text("VOICE", optional=True),
            _text("TASK", optional=True),
            TensorSpec("SPEED", "FP32", (1,), optional=True),
        ),
        outputs=(
            _text("TRANSCRIPT"),
            _text("LANGUAGE"),
            _text("TRANSLATION"),
            *AUDIO_OUTPUTS,
            _text("VOICE"),
        ),
    )
    spoken = ("AUDIO", "AUDIO_LENGTH", "SAMPLE_RATE", "VOICE")

    @property
    def max_batch_size(self) -> int:
        return self._limits.max_rows

    @property
    def steps(self) -> tuple[str, ...]:
        return STEPS

    async def _infer(self, rows: Rows, wanted: Wanted, context: Context) -> list[Tensor]:
        speak = any(map(wanted, self.spoken))
        options = [
            self._options(*row, speak, context)
            for row in zip(
                rows.choices("TASK", GRAPH_TASKS),
                rows.languages("SOURCE_LANGUAGE"),
                rows.languages("TARGET_LANGUAGE"),
                rows.texts("VOICE"),
                rows.numbers("SPEED", 1.0, *SPEEDS),
                strict=True,
            )
        ]
        audio = await self._at_16_khz(rows, context)
        audio_s = sum(each.duration_s for each in audio)
        parts = [self._one(*row, context) for row in zip(audio, options, strict=True)]
        answers = await self._pipeline.graph(parts, audio_s, context)
        silence = Audio(np.zeros(0, np.int16))
        spoken = [answer.audio or silence for answer in answers]
        return [
            text_tensor("TRANSCRIPT", [answer.text for answer in answers]),
            text_tensor("LANGUAGE", [answer.language or "" for answer in answers]),
            text_tensor("TRANSLATION", [answer.translation.strip() for answer in answers]),
            *await self._pipeline.off_loop(lambda: audio_tensors(spoken), context.deadline),
            text_tensor("VOICE", [answer.voice.id if answer.voice else "" for answer in answers]),
        ]

    def _options(
        self,
        task: str,
        source: str | None,
        target: str | None,
        voice: str | None,
        speed: float,
        speak: bool,
        context: Context,
    ) -> TranslateOptions | TranscribeOptions:
        """Refuses what can be refused before any model runs."""
        if task == "transcribe":
            if source is not None:
                self._fleet.check_language(source, param="source_language")
            ahead = [self._fleet.pick("vad"), self._fleet.pick("asr")]
            self._pipeline.admit(ahead, context, self._fleet.graph)
            return TranscribeOptions(language=source)
        target = _required(target, "TARGET_LANGUAGE")
        options = TranslateOptions(target, source, voice, speed, speak)
        self._pipeline.admit_translation(options, context)
        return options

    async def _one(
        self, audio: Audio, options: TranslateOptions | TranscribeOptions, context: Context
    ) -> SpeechTranslation:
        if isinstance(options, TranslateOptions):
            return await self._pipeline.translate_speech(audio, options, context)
        heard = await self._pipeline.transcribe(audio, options, context)
        language = None if heard.language == UNDETERMINED else heard.language
        sentences = tuple(timed_sentences(heard))
        return SpeechTranslation(
            audio.duration_s, language, heard.language_probability, sentences, None, None, None
        )


SERVED: Mapping[str, type[Served]] = {
    served.kind: served for served in (Vad, Asr, Nmt, Tts, Speaker)
}


class Catalogue:
    """Every name of ``/v2/models``: the configured models, their kinds, and the graph."""

    def __init__(self, pipeline: Pipeline, config: AppConfig) -> None:
        kinds = {name: model.kind for name, model in config.models.items()}
        names = {**kinds, **{kind: kind for kind in get_args(Kind) if kind in kinds.values()}}
        self._served: dict[str, Served] = {
            name: SERVED[kind](name, pipeline, config) for name, kind in names.items()
        }
        if set(STEPS) <= set(kinds.values()):
            self._served[GRAPH] = SpeechTranslator(GRAPH, pipeline, config)

    def names(self) -> tuple[str, ...]:
        return tuple(self._served)

    def get(self, name: str, version: str | None = None) -> Served:
        """What is served under a name.

        Raises:
            UnknownModel: nothing, or not in that version.
        """
        if name not in self._served:
            message = f"Request for unknown model: '{name[:80]}' is not found"
            raise UnknownModel(message, param="model")
        if version not in (None, "", MODEL_VERSION):
            message = f"Request for unknown model: '{name}' version {version[:20]} is not found"
            raise UnknownModel(message, param="version")
        return self._served[name]


def _states(heard: Sequence[VadResult]) -> list[NDArray[np.float32]]:
    """To go on from; none where a row has ended its stream, since a tensor cannot miss one row."""
    states = [each.state for each in heard]
    return states if all(map(len, states)) else [np.zeros(0, np.float32) for _ in states]


@cache
def _of_embeddings(size: int) -> Signature:
    return Signature(AUDIO_INPUTS, (TensorSpec("EMBEDDING", "FP32", (size,)),))


def _required(value: str | None, name: str) -> str:
    if value is None:
        raise InvalidRequest(f"input '{name}' must not be empty", param=name)
    return value


def _check_texts(texts: Sequence[str], limits: Limits) -> None:
    length_chars = sum(map(len, texts))
    check_text_length(length_chars, limits, param="text")
    usage.read(length_chars)
    for text in texts:
        if not text.strip():
            raise InvalidRequest("input 'TEXT' must not be empty", param="TEXT")


def _segments(heard: Transcript) -> str:
    return json.dumps([asdict(segment) for segment in heard.segments])
