"""The whole graph as ``/v2`` serves it: speech in, translated speech out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np

from deployments.graph.admission import admit
from deployments.graph.context import Context
from deployments.graph.pipeline import SpeechTranslation
from deployments.graph.plan import Hearing, Plan, TranscribeOptions, TranslateOptions
from deployments.graph.sentences import Sentence
from deployments.inference.kinds.base import (
    AUDIO_INPUTS,
    AUDIO_OUTPUTS,
    SPEEDS,
    Served,
    Wanted,
    required,
    text_spec,
)
from deployments.inference.rows import Rows, audio_tensors, text_tensor
from deployments.inference.signature import Signature, TensorSpec
from deployments.inference.tensors import Tensor
from models.audio import decode
from models.types import Audio, Kind

TASKS = ("translate", "transcribe")
STEPS: tuple[Kind, ...] = ("vad", "asr", "nmt", "tts")


class SpeechTranslator(Served):
    """The whole graph, as an ensemble. Without an output of audio, nothing is synthesised."""

    signature = Signature(
        inputs=(
            *AUDIO_INPUTS,
            text_spec("SOURCE_LANGUAGE", optional=True),
            text_spec("TARGET_LANGUAGE", optional=True),
            text_spec("VOICE", optional=True),
            text_spec("TASK", optional=True),
            TensorSpec("SPEED", "FP32", (1,), optional=True),
        ),
        outputs=(
            text_spec("TRANSCRIPT"),
            text_spec("LANGUAGE"),
            text_spec("TRANSLATION"),
            *AUDIO_OUTPUTS,
            text_spec("VOICE"),
        ),
    )
    decoupled = True
    spoken = ("AUDIO", "AUDIO_LENGTH", "SAMPLE_RATE", "VOICE")

    @property
    def max_batch_size(self) -> int:
        return self._limits.max_rows

    @property
    def steps(self) -> tuple[str, ...]:
        return STEPS

    async def _infer(self, rows: Rows, wanted: Wanted, context: Context) -> list[Tensor]:
        plans = self._plans(rows, wanted, context)
        audio = await self._at_16_khz(rows, context)
        answers = await self._pipeline.run(audio, plans, context)
        silence = Audio(np.zeros(0, np.int16))
        spoken = [answer.audio or silence for answer in answers]
        return [
            text_tensor("TRANSCRIPT", [answer.text for answer in answers]),
            text_tensor("LANGUAGE", [answer.language or "" for answer in answers]),
            text_tensor("TRANSLATION", [answer.translation.strip() for answer in answers]),
            *await self._pipeline.codecs.run(lambda: audio_tensors(spoken), context.deadline),
            text_tensor("VOICE", [answer.voice.id if answer.voice else "" for answer in answers]),
        ]

    async def _stream(
        self, rows: Rows, wanted: Wanted, context: Context
    ) -> AsyncGenerator[list[Tensor]]:
        """Yield each sentence of one recording; several rows, and transcripts, come at once."""
        plan = self._plans(rows, wanted, context)[0] if rows.count == 1 else None
        if not isinstance(plan, Plan):
            yield await self._infer(rows, wanted, context)
            return
        (audio,) = await self._at_16_khz(rows, context)
        speaking, has_sound, is_empty = plan.speaking, False, True
        gap_s = self._pipeline.synthesiser.gap_s(speaking.speed) if speaking else 0.0
        async with aclosing(self._pipeline.run_in_turn(audio, plan, context)) as parts:
            async for part in parts:
                if isinstance(part, SpeechTranslation):
                    continue
                sound = part.audio
                if sound is not None and len(sound.samples):
                    sound = decode.after_silence(sound, gap_s) if has_sound else sound
                    has_sound = True
                is_empty = False
                yield _of_sentence(part, sound, speaking.voice.id if speaking else "")
        if is_empty:
            yield _of_sentence(Sentence(0.0, 0.0, "", language=""), None, "")

    def _plans(self, rows: Rows, wanted: Wanted, context: Context) -> list[Plan | Hearing]:
        speak = any(map(wanted, self.spoken))
        return [
            self._plan(*row, speak, context)
            for row in zip(
                rows.choices("TASK", TASKS),
                rows.languages("SOURCE_LANGUAGE"),
                rows.languages("TARGET_LANGUAGE"),
                rows.texts("VOICE"),
                rows.numbers("SPEED", 1.0, *SPEEDS),
                strict=True,
            )
        ]

    def _plan(
        self,
        task: str,
        source: str | None,
        target: str | None,
        voice: str | None,
        speed: float,
        speak: bool,
        context: Context,
    ) -> Plan | Hearing:
        """Plan one row, and refuse it before its audio is decoded where it cannot be served."""
        plan: Plan | Hearing
        if task == "transcribe":
            options = TranscribeOptions(language=source)
            plan = self._pipeline.planner.transcription(options, param="source_language")
        else:
            target = required(target, "TARGET_LANGUAGE")
            asked = TranslateOptions(target, source, voice, speed, speak)
            plan = self._pipeline.planner.speech_translation(asked)
        admit(plan.models, context, self._fleet.graph)
        return plan


def _of_sentence(sentence: Sentence, sound: Audio | None, voice: str) -> list[Tensor]:
    """Return the outputs of one sentence, as the whole recording has them."""
    return [
        text_tensor("TRANSCRIPT", [sentence.text]),
        text_tensor("LANGUAGE", [sentence.language]),
        text_tensor("TRANSLATION", [sentence.translation.strip()]),
        *audio_tensors([sound or Audio(np.zeros(0, np.int16))]),
        text_tensor("VOICE", [voice]),
    ]
