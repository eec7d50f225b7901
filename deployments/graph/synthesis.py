"""Speak texts of any length: sentence by sentence, joined or each as soon as it is spoken."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial

import numpy as np

from deployments.batching.concurrency import all_of, in_order
from deployments.batching.forming import BATCHES_A_REPLICA
from deployments.catalogue.selection import Fleet
from deployments.graph.context import Context
from deployments.graph.plan import Speaking
from deployments.graph.stages import StageRunner
from models.audio import decode
from models.text.doubts import sounds_unused
from models.tts import normalisation
from models.types import SOURCE_VOICE, Audio, Speech, TtsItem


class Synthesiser:
    """Speaks with the voice that a plan names, with ``gap_s`` of silence between sentences."""

    def __init__(self, stages: StageRunner, fleet: Fleet, gap_s: float) -> None:
        self._stages = stages
        self._fleet = fleet
        self._gap_s = gap_s

    async def speak(self, text: str, plan: Speaking, context: Context) -> Audio:
        """Speak a text, sentence by sentence with a short silence between."""
        spoken = await all_of(
            self._speak_sentence(sentence, plan, context)
            for sentence in self.sentences(text, plan, context)
        )
        return self.joined(spoken, plan)

    def sentences(self, text: str, plan: Speaking, context: Context) -> tuple[str, ...]:
        """Cut a text into sentences to speak, with the sounds that a glossary has for its terms."""
        if plan.glossary is not None:
            spoken = plan.glossary.spoken(plan.voice.language)
            text, unused = spoken.said(text, takes_phonemes=plan.model.spec.takes_sounds)
            if unused and (warning := sounds_unused(unused)) not in context.warnings:
                context.warnings.append(warning)
        return normalisation.sentences(text, plan.voice.language)

    async def speak_in_turn(
        self, sentences: Sequence[str], plan: Speaking, context: Context
    ) -> AsyncGenerator[Audio]:
        """Yield what ``speak`` joins, each sentence as soon as those before it are spoken.

        Sentences without a sound are left out. No more of them are asked for at once than keep the
        model busy: what is heard later would only stand before other callers' first sentences.
        Close the generator to drop what is still to come.
        """
        gap_s, model = 0.0, plan.model
        batches = BATCHES_A_REPLICA * self._fleet.placements()[model.name].replicas
        places = batches * model.batcher.policy.max_batch_size
        self._stages.bound(model, min(places, self._stages.most_places(model)), context)
        speak = partial(self._speak_sentence, plan=plan, context=context)
        async with aclosing(in_order(speak, sentences)) as spoken:
            async for audio in spoken:
                if len(audio.samples):
                    yield decode.after_silence(audio, gap_s)
                    gap_s = self.gap_s(plan.speed)

    def gap_s(self, speed: float) -> float:
        """Return the silence between sentences, which keeps the speed, too."""
        return self._gap_s / speed

    def joined(self, parts: Sequence[Audio], plan: Speaking) -> Audio:
        """Join what was spoken, with silence between."""
        audible = [part for part in parts if len(part.samples)]
        if not audible:
            return Audio(np.zeros(0, np.int16), plan.voice.sample_rate_hz)
        return decode.concatenate(audible, self.gap_s(plan.speed))

    async def _speak_sentence(self, text: str, plan: Speaking, context: Context) -> Audio:
        voice, sounds = plan.voice, tuple[str, ...]()
        if plan.glossary is not None:
            text, sounds = plan.glossary.spoken(voice.language).phonemes_in(text)
        name = voice.id if plan.reference is None else SOURCE_VOICE
        item = TtsItem(text, name, plan.speed, voice.language, plan.reference, sounds)
        speech: Speech = await self._stages.run("tts", plan.model, item, context)
        return speech.audio
