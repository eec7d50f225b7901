"""The whole graph as ``/v2`` serves it: speech in, translated speech out."""

from __future__ import annotations

import numpy as np

from deployments.graph.admission import admit
from deployments.graph.context import Context
from deployments.graph.plan import Hearing, Plan, TranscribeOptions, TranslateOptions
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
    spoken = ("AUDIO", "AUDIO_LENGTH", "SAMPLE_RATE", "VOICE")

    @property
    def max_batch_size(self) -> int:
        return self._limits.max_rows

    @property
    def steps(self) -> tuple[str, ...]:
        return STEPS

    async def _infer(self, rows: Rows, wanted: Wanted, context: Context) -> list[Tensor]:
        speak = any(map(wanted, self.spoken))
        plans = [
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
