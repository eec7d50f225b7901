"""Select models, routes and voices, among those that one ingress process can use now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from deployments.batching.statistics import Figures, ModelStatistics
from deployments.catalogue.language_pairs import Route, Routes
from deployments.catalogue.model import Model
from deployments.catalogue.placements import Description, Directory, Placement
from deployments.catalogue.serving import Follower
from deployments.catalogue.voices import Voices, by_language, wrong_voice
from deployments.config.names import GRAPH, KIND_NAMES
from deployments.config.policy import BatchPolicy
from deployments.config.schema import AppConfig
from deployments.telemetry.model_report import FAILED, READY, ReplicaStats
from models.errors import (
    Unavailable,
    UnknownLanguage,
    UnknownModel,
)
from models.types import Kind


class Fleet:
    """Every configured model; a model can be used once one of its replicas is warm."""

    def __init__(self, config: AppConfig, directory: Directory) -> None:
        self._config = config
        self._names = {kind: config.names_of(kind) for kind in get_args(Kind)}
        self.directory = directory
        self.follower = Follower(config, directory)
        self.warm = self.follower.warm  # every model has been ready
        self.graph = ModelStatistics()  # of the whole graph's requests in this process
        self._routes: Routes | None = None

    def start(self) -> None:
        """Begin to follow where the models are, on the running event loop."""
        self.follower.start()

    def reconfigure(self, policies: Mapping[str, BatchPolicy]) -> None:
        """Apply batch policies, to models that are ready and to those that will be."""
        self.follower.reconfigure(policies)

    # ---- what there is ---------------------------------------------------------------

    def readiness(self) -> dict[str, str]:
        """Tell of each configured model: ready, loading, unloaded, or failed and why."""
        return self.follower.readiness()

    def is_ready(self) -> bool:
        """Tell whether every model is ready but those that were unloaded on purpose."""
        return self.follower.is_ready()

    def placements(self) -> Mapping[str, Placement]:
        """Return where each model was when that was last told."""
        return self.follower.placements.of

    def names(self) -> tuple[str, ...]:
        """List the configured models."""
        return tuple(self._config.models)

    def has(self, kind: Kind) -> bool:
        """Tell whether the configuration has a model of that kind."""
        return any(model.kind == kind for model in self._config.models.values())

    def get(self, name: str) -> Model:
        """Return a model by its name or alias.

        Raises:
            UnknownModel: there is none of that name.
            NotReady: it is still loading.
            Unavailable: it is unloaded, or could not be loaded.
        """
        name = self._config.aliases.get(name, name)
        if name not in self._config.models and name in KIND_NAMES:
            return self.of_kind(name)[0]
        if name not in self._config.models:
            known = ", ".join([*self._config.models, *self._config.aliases])
            message = f"there is no model {name[:80]!r}; there are {known}"
            raise UnknownModel(message, param="model")
        return self.follower.model(name)

    def of_kind(self, kind: Kind, name: str | None = None) -> list[Model]:
        """List the models of one kind that a request may mean, in the order of the configuration.

        Args:
            kind: what is asked of it.
            name: a model or an alias; the kind's own name, or None, means all of its models.

        Raises:
            UnknownModel: the configuration has none, or ``name`` is of another kind.
            NotReady: one of them is still loading.
            Unavailable: all of them are unloaded.
        """
        if name is not None and self._config.aliases.get(name, name) != kind:
            model = self.get(name)
            if model.spec.kind != kind:
                message = f"model {name!r} is a {model.spec.kind} model, not {kind}"
                raise UnknownModel(message, param="model")
            return [model]
        names = self._names.get(kind)
        if not names:
            raise UnknownModel(f"this server runs no {kind} model", param="model")
        there = [name for name in names if not self.follower.is_gone(name)]
        return [self.get(name) for name in there or names]

    def _check_none_missing(self, kind: Kind) -> None:
        """Refuse while a model of that kind is unloaded, which might do what no other can.

        Raises:
            Unavailable: it is unloaded, or could not be loaded; ``NotReady``: it is loading.
        """
        for name in self._names.get(kind, ()):
            self.get(name)

    def _missing(self, kind: Kind) -> Unavailable | None:
        """Say why a model of that kind cannot be used; None: all can."""
        try:
            self._check_none_missing(kind)
        except Unavailable as error:
            return error.with_traceback(None)  # the traceback holds this frame: no cycle
        return None

    def pick(self, kind: Kind, name: str | None = None) -> Model:
        """Return the model that a request names, or the first of its kind."""
        return self.of_kind(kind, name)[0]

    def routes(self) -> Routes:
        """Return the routes through the translation models that can be used now."""
        models = self.of_kind("nmt")
        missing = self._missing("nmt") if len(models) < len(self._names["nmt"]) else None
        if self._routes is None or not self._routes.are_of(models, missing):
            self._routes = Routes(models, missing)
        return self._routes

    def route(self, source: str, target: str) -> Route:
        """Return the route from a language to another: direct, or else through English.

        Raises:
            UnknownLanguage: no model here knows one of the languages.
            UnsupportedPair: there is no route; the message lists the pairs there are.
        """
        routes = self.routes()
        route = routes.find(source, target)
        if route is None:
            routes.check_none_missing()
            self.check_language(source, param="source_language")
            self.check_language(target, param="target_language")
            raise routes.unsupported(source, target)
        return route

    def routes_to(self, target: str) -> Routes:
        """Return the routes, of which some lead to that language.

        Raises:
            UnknownLanguage: no model here knows it.
            UnsupportedPair: no pair ends in it; the message lists those there are.
        """
        routes = self.routes()
        if not routes.lead_to(target):
            routes.check_none_missing()
            self.check_language(target, param="target_language")
            raise routes.unsupported("any language", target)
        return routes

    def check_language(self, code: str, *, param: str) -> None:
        """Refuse a code that no model of any kind knows."""
        known = {
            code
            for model in self.follower.models()
            for code in (
                *model.spec.languages,
                *(language for pair in model.spec.pairs for language in pair),
                *(voice.language for voice in model.spec.voices),
            )
        }
        if code not in known:
            for name in self._config.models:
                self.get(name)  # one that still loads may know it
            raise UnknownLanguage(
                f"{param} must be an ISO 639-1 code of a language that a model here knows, "
                f"such as en; got {code[:20]!r}",
                param=param,
            )

    def voices(self, model: str | None = None) -> Voices:
        """Return the voices of all TTS models, or of those that ``model`` names."""
        models, aliases = self.of_kind("tts", model), self._config.voice_aliases
        return Voices(models, aliases, lambda: self._check_none_missing("tts"))

    # ---- other names -----------------------------------------------------------------

    @property
    def aliases(self) -> Mapping[str, str]:
        """Return the other names of models and kinds."""
        return self._config.aliases

    def aliases_of(self, name: str) -> list[str]:
        """List the other names that a model answers to, its kind's among them."""
        kind = self._config.models[name].kind
        return [alias for alias, of in self._config.aliases.items() if of in (name, kind)]

    @property
    def voice_aliases(self) -> Mapping[str, str | Mapping[str, str]]:
        """Return the other names of voices: each of one voice, or of one for each language."""
        return self._config.voice_aliases

    def wrong_voice_aliases(self) -> dict[str, str]:
        """Return the aliases of voices that do not exist, each with what is wrong.

        A model that is not loaded may have any voice.
        """
        states, names = self.follower.readiness(), self._names["tts"]
        if not names or any(states[name] != READY for name in names):
            return {}
        known = {voice.id: voice.language for _, voice in self.voices().all()}
        wrong = {}
        for alias, named in self._config.voice_aliases.items():
            for language, voice_id in by_language(named).items():
                what = wrong_voice(voice_id, language, known)
                if what:
                    wrong[f"voice_aliases.{alias}"] = f"{FAILED}: {what}"
        return wrong

    # ---- figures ---------------------------------------------------------------------

    def figures(self) -> dict[str, Figures]:
        """Return the figures of each model that was ready once, and of the graph."""
        figures = {
            name: Figures(b.statistics, waiting=b.waiting, pending=b.pending, in_flight=b.in_flight)
            for name, b in ((model.name, model.batcher) for model in self.follower.models())
        }
        return {**figures, GRAPH: Figures(self.graph)}

    def statistics(self, name: str) -> ModelStatistics | None:
        """Return the counts of a model, a kind's first model, or the graph.

        None: it was never ready.
        """
        if name == GRAPH:
            return self.graph
        if name not in self._config.models:
            name = next(iter(self._names.get(name, ())), name)
        model = self.follower.known(name)
        return None if model is None else model.batcher.statistics

    async def describe(self, name: str) -> tuple[Sequence[Description], Sequence[ReplicaStats]]:
        """Describe each replica of a model: where it runs, and its counts.

        Raises:
            Unavailable: no replica answers.
        """
        remote = self.follower.remote(self.get(name).name)
        return await remote.describe(), await remote.stats()
