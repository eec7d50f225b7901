"""Write down what is said in a recording of any length: its speech, its windows, their texts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TypeAlias, TypeVar

from deployments.batching.concurrency import all_of, in_order
from deployments.catalogue.model import Model
from deployments.graph.codecs import Codecs
from deployments.graph.context import Context
from deployments.graph.languages import Asr, cut_windows
from deployments.graph.listening import WINDOW_VAD, listen
from deployments.graph.plan import Hearing, TranscribeOptions
from deployments.graph.sentences import doubts, language_doubts
from deployments.graph.stages import StageRunner
from deployments.graph.transcripts import in_recording, joined, transcript_of
from models.audio.segments import Window
from models.types import AnswerWarning, Audio, Transcript, VadItem, VadParameters, VadResult

R = TypeVar("R")
Hear: TypeAlias = Callable[[Window], Awaitable[Transcript]]


def asked_of(plan: Hearing) -> TranscribeOptions:
    """Return what a recogniser is asked; one without prompts is not told a glossary's terms."""
    return plan.options if plan.asr.spec.takes_prompt else replace(plan.options, glossary=None)


class Transcriber:
    """Hears recordings, with the models that a plan names."""

    def __init__(self, stages: StageRunner, codecs: Codecs) -> None:
        self._stages = stages
        self._codecs = codecs

    async def listen(
        self, audio: Audio, vad: Model, context: Context, rules: VadParameters = WINDOW_VAD
    ) -> tuple[Audio, VadResult]:
        """Find the speech in a recording, and make a quiet one as loud as others."""

        async def off_loop(call: Callable[[], R]) -> R:
            return await self._codecs.run(call, context.deadline, context.caller)

        def vad_of(item: VadItem) -> Awaitable[VadResult]:
            return self._stages.run("vad", vad, item, context)

        return await listen(audio, vad_of, off_loop, rules)

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
        windows, hear = await self._windows(audio, plan, context, heard)
        parts = await all_of(map(hear, windows))
        _warn(parts, context)
        return joined(parts, plan.options.language, plan.options.written_in)

    async def transcribe_in_turn(
        self, audio: Audio, plan: Hearing, context: Context
    ) -> AsyncGenerator[Transcript]:
        """Yield what ``transcribe`` joins, each window as soon as those before it are there.

        Close the generator to drop what is still to come.
        """
        windows, hear = await self._windows(audio, plan, context)
        async with aclosing(in_order(hear, windows)) as parts:
            async for part in parts:
                _warn([part], context)
                yield part

    async def _windows(
        self,
        audio: Audio,
        plan: Hearing,
        context: Context,
        heard: tuple[Audio, VadResult] | None = None,
    ) -> tuple[Sequence[Window], Hear]:
        """Cut a recording into windows, and return them with the call that recognises one."""
        asr, options = self.recogniser(plan.asr, context), asked_of(plan)
        loud, speech = heard or await self.listen(audio, plan.vad, context, plan.options.vad)

        async def one(window: Window) -> Transcript:
            return in_recording(await transcript_of(loud, window, options, asr), window)

        return await cut_windows(loud, speech.spans, plan.options, asr), one


def _warn(parts: Sequence[Transcript], context: Context) -> None:
    """Add what is not sure of some windows to the request's warnings, each once."""
    found: list[AnswerWarning] = [w for part in parts for w in language_doubts(part)]
    found += [w for part in parts for segment in part.segments for w in doubts(segment)]
    context.warnings.extend(w for w in dict.fromkeys(found) if w not in context.warnings)
