"""A TTS model as ``/v2`` serves it: texts in, speech out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from deployments.batching.concurrency import all_of
from deployments.graph.context import Context
from deployments.graph.plan import Speaking
from deployments.inference.kinds.base import (
    AUDIO_OUTPUTS,
    SPEEDS,
    Served,
    Wanted,
    check_texts,
    text_spec,
)
from deployments.inference.rows import Rows, audio_tensors
from deployments.inference.signature import Signature, TensorSpec
from deployments.inference.tensors import Tensor
from models.errors import InvalidRequest
from models.types import SOURCE_VOICE, Audio


class Tts(Served):
    """Speaks each row with a voice of its own."""

    kind = "tts"
    decoupled = True
    signature = Signature(
        inputs=(
            text_spec("TEXT"),
            text_spec("VOICE", optional=True),
            text_spec("LANGUAGE", optional=True),
            TensorSpec("SPEED", "FP32", (1,), optional=True),
            TensorSpec("REFERENCE", "FP32", (-1,), optional=True, also=("INT16",)),
            TensorSpec("REFERENCE_LENGTH", "INT32", (1,), optional=True),
        ),
        outputs=AUDIO_OUTPUTS,
    )

    async def _infer(self, rows: Rows, wanted: Wanted, context: Context) -> list[Tensor]:
        texts = self._texts(rows)
        plans = self._plans(rows)

        async def one(text: str, plan: Speaking) -> Audio:
            audio = await self._pipeline.synthesiser.speak(text, plan, context)
            if not len(audio.samples):
                raise _nothing_to_speak()
            return audio

        with self._pipeline.stages.as_one((plan.model for plan in plans), context):
            spoken = await all_of(map(one, texts, plans))
        return await self._pipeline.codecs.run(lambda: audio_tensors(spoken), context.deadline)

    async def _stream(
        self, rows: Rows, wanted: Wanted, context: Context
    ) -> AsyncGenerator[list[Tensor]]:
        """Yield each sentence of one text; several rows are answered at once."""
        if rows.count > 1:
            yield await self._infer(rows, wanted, context)
            return
        (text,), (plan,) = self._texts(rows), self._plans(rows)
        speaker = self._pipeline.synthesiser
        is_silent = True
        with self._pipeline.stages.as_one([plan.model], context):
            sentences = speaker.sentences(text, plan, context)
            async with aclosing(speaker.speak_in_turn(sentences, plan, context)) as spoken:
                async for audio in spoken:
                    is_silent = False
                    yield audio_tensors([audio])
        if is_silent:
            raise _nothing_to_speak()

    def _texts(self, rows: Rows) -> list[str]:
        texts = [text or "" for text in rows.texts("TEXT")]
        check_texts(texts, self._limits)
        return texts

    def _plans(self, rows: Rows) -> list[Speaking]:
        references: list[Any] = [None] * rows.count
        if rows.has("REFERENCE"):
            references = rows.clips("REFERENCE", "REFERENCE_LENGTH")
        speeds = rows.numbers("SPEED", 1.0, *SPEEDS)
        voices, languages = rows.texts("VOICE"), rows.languages("LANGUAGE")
        return [
            self._plan(voice, language, speed, reference)
            for voice, language, speed, reference in zip(
                voices, languages, speeds, references, strict=True
            )
        ]

    def _plan(self, voice: str | None, language: str | None, speed: float, own: Any) -> Speaking:
        if voice is None and language is None and self.name in self._config.models:
            voice = self.model.spec.voices[0].id
        if voice is None and language is None:
            message = "input 'VOICE' is required, or 'LANGUAGE' to choose one"
            raise InvalidRequest(message, param="VOICE")
        if (voice == SOURCE_VOICE) != (own is not None):
            message = f"input 'REFERENCE' is what VOICE '{SOURCE_VOICE}' sounds like: give both"
            raise InvalidRequest(message, param="REFERENCE")
        planner = self._pipeline.planner
        return planner.speech(voice, language, self.name, speed=speed, reference=own)


def _nothing_to_speak() -> InvalidRequest:
    return InvalidRequest("it has nothing that can be spoken", param="text")
