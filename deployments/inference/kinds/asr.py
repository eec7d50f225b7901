"""An ASR model as ``/v2`` serves it: windows of audio in, what is said there out."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from deployments.graph.context import Context
from deployments.inference.kinds.base import AUDIO_INPUTS, Served, Wanted, text_spec
from deployments.inference.rows import Rows, number_tensor, text_tensor
from deployments.inference.signature import Signature, TensorSpec
from deployments.inference.tensors import Tensor
from models.types import AsrItem, Transcript

TASKS = ("transcribe", "translate")


class Asr(Served):
    """Recognises windows of at most 30 s."""

    kind = "asr"
    signature = Signature(
        inputs=(
            *AUDIO_INPUTS,
            text_spec("LANGUAGE", optional=True),
            text_spec("TASK", optional=True),
            text_spec("PROMPT", optional=True),
        ),
        outputs=(
            text_spec("TEXT"),
            text_spec("LANGUAGE"),
            TensorSpec("LANGUAGE_PROBABILITY", "FP32", (1,)),
            text_spec("SEGMENTS"),
        ),
    )

    async def _infer(self, rows: Rows, wanted: Wanted, context: Context) -> list[Tensor]:
        languages, prompts = rows.languages("LANGUAGE"), rows.texts("PROMPT")
        tasks: list[Any] = rows.choices("TASK", TASKS)
        for language in filter(None, languages):
            self._fleet.check_language(language, param="language")
        model, timed = self.model, wanted("SEGMENTS")
        audio = await self._at_16_khz(rows, context)
        items = [
            AsrItem(each.samples, language, task, prompt=prompt, timestamps=timed)
            for each, language, task, prompt in zip(audio, languages, tasks, prompts, strict=True)
        ]
        heard: list[Transcript] = await self._pipeline.stages.run_all("asr", model, items, context)
        probabilities = [each.language_probability for each in heard]
        return [
            text_tensor("TEXT", [each.text for each in heard]),
            text_tensor("LANGUAGE", [each.language for each in heard]),
            number_tensor("LANGUAGE_PROBABILITY", "FP32", probabilities),
            text_tensor("SEGMENTS", [_segments(each) for each in heard]),
        ]


def _segments(heard: Transcript) -> str:
    return json.dumps([asdict(segment) for segment in heard.segments])
