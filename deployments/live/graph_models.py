"""Run a live session's models through the graph's stages, and so through everybody's batchers."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from deployments.batching.live import LIVE, UPDATE
from deployments.batching.queue import Share
from deployments.catalogue.language_pairs import Route
from deployments.catalogue.model import Model
from deployments.catalogue.selection import Fleet
from deployments.catalogue.voices import NamedVoice, name_of
from deployments.graph.codecs import Caller
from deployments.graph.context import Context
from deployments.graph.plan import Planner, Speaking, Translating
from deployments.graph.stages import StageRunner
from deployments.graph.synthesis import Synthesiser
from deployments.graph.text_options import TextOptions
from deployments.graph.text_terms import hops_with_terms
from deployments.graph.text_translation import TextTranslator
from deployments.live.models import Begun
from deployments.live.options import LiveOptions
from models.errors import UnsupportedPair
from models.text.glossary import Glossary
from models.types import (
    AsrItem,
    Audio,
    NmtItem,
    Samples,
    Transcript,
    Translation,
    VadItem,
    VadResult,
)

PIECE_S = 30.0  # in which a piece is answered, or refused


class GraphModels:
    """One session's door to the models: what it asks goes first, and counts as one caller's.

    Args:
        fleet: the models.
        stages: the way to their batchers.
        synthesiser: speaks.
    """

    def __init__(self, fleet: Fleet, stages: StageRunner, synthesiser: Synthesiser) -> None:
        self._fleet, self._stages, self._synthesiser = fleet, stages, synthesiser
        self._planner = Planner(fleet)
        self._texts = TextTranslator(stages)
        self._vad: Model | None = None
        self._asr: Model | None = None
        self._glossary: Glossary | None = None
        self._sources: tuple[str, ...] = ()  # that anything translates to what is asked for
        self._translating: dict[str, Translating] = {}
        self._speaking: dict[tuple[str, str | None], Speaking] = {}
        self._shares: dict[str, Share] = {}
        self._places: dict[str, asyncio.Semaphore] = {}
        self._caller = Caller()
        self._used = ExitStack()
        self._names: set[str] = set()

    def prepare(self, options: LiveOptions) -> None:
        """Resolve what a session asks for.

        Raises:
            UnknownLanguage, UnsupportedPair, UnknownVoice, Unprocessable: there is no such.
            Unavailable: a model is not ready.
        """
        for code in filter(None, (options.language, *options.languages)):
            self._fleet.check_language(code, param="language")
        vad, asr = self._planner.model("vad"), self._planner.model("asr", options.recogniser)
        for target in options.targets:
            self.prepare_target(target, options.voice, speaks=options.speaks)
        if options.language is not None:
            for target in options.targets:
                self._check_leads(options.language, target)
        self._vad, self._asr = vad, asr
        self._glossary = options.glossary
        self._use(vad, asr)
        translating = [self._translating[target] for target in options.targets]
        sources = (code for to in translating for code in to.routes.sources(to.target))
        self._sources = tuple(dict.fromkeys(sources))

    def prepare_target(self, target: str, voice: NamedVoice, *, speaks: bool) -> None:
        """Resolve one language more. Raises the same as ``prepare``."""
        routes = self._fleet.routes_to(target)
        if speaks:
            chosen = self._fleet.voices().choose(voice, target)
            self._speaking[target, name_of(voice)] = Speaking(*chosen, speed=1.0)
            self._use(chosen[0])
        self._translating[target] = Translating(target, routes)

    @property
    def takes_prefix(self) -> bool:
        """Tell whether the recogniser goes on from words that it is given."""
        assert self._asr is not None, "prepare() first"
        return self._asr.spec.takes_prefix

    @property
    def takes_prompt(self) -> bool:
        """Tell whether the recogniser minds what may be said."""
        assert self._asr is not None, "prepare() first"
        return self._asr.spec.takes_prompt

    async def hear(self, item: VadItem) -> VadResult:
        """Find speech in a piece of a stream."""
        assert self._vad is not None, "prepare() first"
        heard: VadResult = await self._stages.run("vad", self._vad, item, self._context())
        return heard

    async def recognise(self, item: AsrItem) -> Transcript:
        """Write down audio; doubtful speech is in a language that can be translated."""
        assert self._asr is not None, "prepare() first"
        if item.language is None and not item.languages:
            item = replace(item, languages=self._sources)
        context = self._context(LIVE if item.beam_size is None else UPDATE)  # updates are greedy
        heard: Transcript = await self._stages.run("asr", self._asr, item, context)
        return heard

    async def translate(
        self, text: str, source: str, target: str, begun: Begun | None = None
    ) -> Translation:
        """Translate a clause, going on from the start of its sentence where the model can.

        A route through another language translates the clause alone.

        Raises:
            UnsupportedPair: no model translates it.
        """
        translating = self._translating[target]
        route = translating.route_from(source)
        if route is None:
            raise translating.routes.unsupported(source, target)
        self._use(*route.models)
        if begun is not None and len(route.hops) == 1 and route.models[0].spec.continues:
            going_on = await self._going_on(text, route, begun)
            if going_on.text:
                return going_on
        options = TextOptions(glossary=self._glossary)
        return await self._texts.translate_sentence(text, route, self._context(), options)

    async def speak(
        self, text: str, target: str, voice: str | None, speed: float, reference: Samples | None
    ) -> Audio:
        """Speak a clause."""
        plan = replace(self._speaking[target, voice], speed=speed, glossary=self._glossary)
        if reference is not None:
            plan = plan.in_voice_of(reference)
        return await self._synthesiser.speak(text, plan, self._context())

    def close(self) -> None:
        """Let the models know that the session is over."""
        self._used.close()

    async def _going_on(self, text: str, route: Route, begun: Begun) -> Translation:
        ((hop, terms),) = hops_with_terms(text, route, self._glossary)
        item = NmtItem(
            text,
            hop.source,
            hop.target,
            before=begun.text,
            before_translated=begun.translated,
            terms=terms if hop.model.spec.takes_terms else (),
        )
        found: Any = await self._stages.run("nmt", route.models[0], item, self._context())
        translation: Translation = found
        return translation

    def _check_leads(self, language: str, target: str) -> None:
        """Refuse a named language that nothing translates to one that is asked for."""
        translating = self._translating[target]
        if language != target and translating.route_from(language) is None:
            error: UnsupportedPair = translating.routes.unsupported(language, target)
            raise error

    def _use(self, *models: Model) -> None:
        """Let the batches of other work be short in models that this session uses."""
        for model in models:
            if model.name not in self._names:
                self._names.add(model.name)
                self._used.enter_context(model.batcher.open_live())

    def _context(self, priority: int = LIVE) -> Context:
        return Context(
            deadline=asyncio.get_running_loop().time() + PIECE_S,
            priority=priority,
            places=self._places,
            caller=self._caller,
            shares=self._shares,
        )
