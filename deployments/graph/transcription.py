"""Write down what is said in a recording of any length: its speech, its windows, their texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from deployments.batching.concurrency import all_of
from deployments.catalogue.model import Model
from deployments.graph.codecs import Codecs
from deployments.graph.context import Context
from deployments.graph.languages import Asr, cut_windows
from deployments.graph.listening import listen
from deployments.graph.plan import Hearing
from deployments.graph.sentences import doubts, language_doubts
from deployments.graph.stages import StageRunner
from deployments.graph.transcripts import in_recording, joined, transcript_of
from models.audio.segments import Window
from models.types import Audio, Transcript, VadResult

R = TypeVar("R")


class Transcriber:
    """Hears recordings, with the models that a plan names."""

    def __init__(self, stages: StageRunner, codecs: Codecs) -> None:
        self._stages = stages
        self._codecs = codecs

    async def listen(self, audio: Audio, vad: Model, context: Context) -> tuple[Audio, VadResult]:
        """Find the speech in a recording, and make a quiet one as loud as others."""

        async def off_loop(call: Callable[[], R]) -> R:
            return await self._codecs.run(call, context.deadline, context.caller)

        return await listen(audio, lambda i: self._stages.run("vad", vad, i, context), off_loop)

    def recogniser(self, asr: Model, context: Context) -> Asr:
        """Return the call that recognises one window of a request."""
        return lambda item: self._stages.run("asr", asr, item, context)

    async def transcribe(
        self,
        audio: Audio,
        plan: Hearing,
        context: Context,
        heard: tuple[Audio, VadResult] | None = None,
    ) -> Transcript:
        """Return the transcript of a recording; times count from its start.

        ``heard``: what ``listen`` returned for it, where it has been asked.
        """
        asr = self.recogniser(plan.asr, context)
        audio, speech = heard or await self.listen(audio, plan.vad, context)

        async def one(window: Window) -> Transcript:
            return in_recording(await transcript_of(audio, window, plan.options, asr), window)

        windows = await cut_windows(audio, speech.spans, plan.options, asr)
        parts = await all_of(map(one, windows))
        warnings = [warning for part in parts for warning in language_doubts(part)]
        warnings += [w for part in parts for segment in part.segments for w in doubts(segment)]
        context.warnings.extend(dict.fromkeys(warnings))
        return joined(parts, plan.options.language)
