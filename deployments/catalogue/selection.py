"""The models as one ingress process sees them: what each can do, and the batcher before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from deployments.batching.statistics import Figures, ModelStatistics
from deployments.catalogue.model import Model
from deployments.catalogue.placements import Description, Directory, Placement
from deployments.catalogue.serving import Follower
from deployments.config.schema import GRAPH, AppConfig, BatchPolicy
from deployments.telemetry.model_report import FAILED, LOADING, READY, ReplicaStats
from models.errors import (
    UnknownLanguage,
    UnknownModel,
    UnknownVoice,
    Unprocessable,
    UnsupportedPair,
)
from models.runtime import Voice
from models.types import SOURCE_VOICE, Kind

PIVOT = "en"  # the language through which pairs go that no model translates directly
__all__ = ["FAILED", "LOADING", "PIVOT", "READY", "Fleet", "Hop", "Model", "pivot"]


@dataclass(frozen=True, slots=True)
class Hop:
    """One translation on the way from a language to another."""

    model: Model
    source: str
    target: str


def pivot(route: Sequence[Hop]) -> str | None:
    """The language between the first and the last of a way; None of a direct one, or of none."""
    return route[0].target if len(route) > 1 else None


def by_language(named: str | Mapping[str, str]) -> Mapping[str, str]:
    """The voices that an alias stands for; "" where it stands for one, whatever that speaks."""
    return {"": named} if isinstance(named, str) else named


def _wrong_voice(voice_id: str, language: str, known: Mapping[str, str]) -> str | None:
    """What is wrong with a voice that an alias names, among those there are: id -> language."""
    if voice_id not in known:
        return f"there is no voice {voice_id!r}; there are {', '.join(known)}"
    if language and known[voice_id] != language:
        return f"voice {voice_id!r} speaks {known[voice_id]}, not {language}"
    return None


class Fleet:
    """Every configured model; a model can be used once one of its replicas is warm."""

    def __init__(self, config: AppConfig, directory: Directory) -> None:
        self._config = config
        self._names = {kind: config.names_of(kind) for kind in get_args(Kind)}
        self.directory = directory
        self.follower = Follower(config, directory)
        self.warm = self.follower.warm  # every model has been ready
        self.graph = ModelStatistics()  # of the whole graph's requests in this process

    def start(self) -> None:
        """Begin to follow where the models are, on the running event loop."""
        self.follower.start()

    def reconfigure(self, policies: Mapping[str, BatchPolicy]) -> None:
        """Apply batch policies, to models that are ready and to those that will be."""
        self.follower.reconfigure(policies)

    # ---- what there is ---------------------------------------------------------------

    def readiness(self) -> dict[str, str]:
        """Each configured model: ready, loading, unloaded, or failed and why."""
        return self.follower.readiness()

    def is_ready(self) -> bool:
        """Whether every model is ready but those that were unloaded on purpose."""
        return self.follower.is_ready()

    def placements(self) -> Mapping[str, Placement]:
        """Where each model was when that was last told."""
        return self.follower.placements.of

    def names(self) -> tuple[str, ...]:
        return tuple(self._config.models)

    def has(self, kind: Kind) -> bool:
        """Whether the configuration has a model of that kind."""
        return any(model.kind == kind for model in self._config.models.values())

    def get(self, name: str) -> Model:
        """A model by its name or alias.

        Raises:
            UnknownModel: there is none of that name.
            NotReady: it is still loading.
            Unavailable: it is unloaded, or could not be loaded.
        """
        name = self._config.aliases.get(name, name)
        if name not in self._config.models and name in get_args(Kind):
            return self.of_kind(name)[0]  # type: ignore[arg-type]
        if name not in self._config.models:
            known = ", ".join([*self._config.models, *self._config.aliases])
            message = f"there is no model {name[:80]!r}; there are {known}"
            raise UnknownModel(message, param="model")
        return self.follower.model(name)

    def of_kind(self, kind: Kind, name: str | None = None) -> list[Model]:
        """The models of one kind that a request may mean, in the order of the configuration.

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

    def _check_none_gone(self, kind: Kind) -> None:
        """Raises Unavailable: one of that kind is unloaded, and might do what no other can."""
        for name, model in self._config.models.items():
            if model.kind == kind:
                self.get(name)

    def pick(self, kind: Kind, name: str | None = None) -> Model:
        """The model that a request names, or the first of its kind."""
        return self.of_kind(kind, name)[0]

    def route(self, source: str, target: str) -> tuple[Hop, ...]:
        """The way from a language to another: direct, or else through English.

        Raises:
            UnknownLanguage: no model here knows one of the languages.
            UnsupportedPair: there is no way; the message lists the pairs there are.
        """
        direct = self._hop(source, target)
        if direct is not None:
            return (direct,)
        first, second = self._hop(source, PIVOT), self._hop(PIVOT, target)
        if first is not None and second is not None and source != target:
            return (first, second)
        self._check_none_gone("nmt")
        self.check_language(source, param="source_language")
        self.check_language(target, param="target_language")
        raise self._unsupported(source, target)

    def route_or_none(self, source: str, target: str) -> tuple[Hop, ...] | None:
        """Like ``route``, of languages that were heard; None: there is no way."""
        try:
            return self.route(source, target)
        except (UnknownLanguage, UnsupportedPair):
            return None

    def sources(self, target: str) -> tuple[str, ...]:
        """List the languages that are translated into another, and that one itself."""
        specs = [model.spec for model in self.of_kind("nmt")]
        known = {code for s in specs for code in (*s.languages, *(code for code, _ in s.pairs))}
        ways = (code for code in sorted(known) if self.route_or_none(code, target) is not None)
        return (target, *ways)

    def check_target(self, target: str) -> None:
        """Refuse a language that nothing is translated into.

        Raises:
            UnknownLanguage: no model here knows it.
            UnsupportedPair: no pair ends in it; the message lists those there are.
        """
        specs = [model.spec for model in self.of_kind("nmt")]
        if not any(target in s.languages or target in (t for _, t in s.pairs) for s in specs):
            self._check_none_gone("nmt")
            self.check_language(target, param="target_language")
            raise self._unsupported("any language", target)

    def _hop(self, source: str, target: str) -> Hop | None:
        for model in self.of_kind("nmt"):
            if model.spec.translates(source, target):
                return Hop(model, source, target)
        return None

    def _unsupported(self, source: str, target: str) -> UnsupportedPair:
        specs = [model.spec for model in self.of_kind("nmt")]
        known = [f"{s}-{t}" for spec in specs for s, t in spec.pairs]
        known += [f"any two of {' '.join(spec.languages)}" for spec in specs if spec.languages]
        message = f"no model translates {source} to {target}; the pairs are {', '.join(known)}"
        return UnsupportedPair(message, param="target_language")

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

    def voices(self, model: str | None = None) -> list[tuple[Model, Voice]]:
        """Every voice, or those of the TTS models that ``model`` names."""
        models = self.of_kind("tts", model)
        return [(model, voice) for model in models for voice in model.spec.voices]

    def voice(
        self, voice_id: str | None, language: str | None, model: str | None = None
    ) -> tuple[Model, Voice]:
        """The voice of that id, or the first that speaks the language.

        ``SOURCE_VOICE`` is the voice of whoever is translated, from a model that can clone it.

        Raises:
            UnknownVoice: there is none of that id; the message lists those there are.
            Unprocessable: it does not speak the language, or no voice does.
        """
        if voice_id == SOURCE_VOICE:
            return self._source_voice(language, model)
        voices = self.voices(model)
        if voice_id is not None:
            return self._voice_of_id(voice_id, language, voices)
        for model_of_voice, voice in voices:
            if voice.language == language:
                return model_of_voice, voice
        self._check_none_gone("tts")
        spoken = ", ".join(sorted({v.language for _, v in voices}))
        message = f"no voice speaks {language}; there are voices for {spoken}"
        raise Unprocessable(message, param="voice")

    def _voice_of_id(
        self, voice_id: str, language: str | None, voices: Sequence[tuple[Model, Voice]]
    ) -> tuple[Model, Voice]:
        """Of a voice's own id, or else of another name that the configuration has for some."""
        by_id: dict[str, tuple[Model, Voice]] = {}
        for model, voice in voices:
            by_id.setdefault(voice.id, (model, voice))
        ids = [voice_id]
        if voice_id not in by_id and voice_id in self._config.voice_aliases:
            ids = list(by_language(self._config.voice_aliases[voice_id]).values())
        found = [by_id[each] for each in ids if each in by_id]
        if not found or (language is None and ids[0] not in by_id):
            self._check_none_gone("tts")  # whose voice would be another language's
        if not found:
            known = ", ".join([*by_id, *self._config.voice_aliases])
            message = f"there is no voice {voice_id[:80]!r}; there are {known}"
            raise UnknownVoice(message, param="voice")
        speaking = [each for each in found if language in (None, each[1].language)]
        if not speaking:
            if len(found) < len(ids):
                self._check_none_gone("tts")
            spoken = ", ".join(dict.fromkeys(voice.language for _, voice in found))
            message = f"voice {voice_id!r} speaks {spoken}, not {language}"
            raise Unprocessable(message, param="voice")
        return speaking[0]

    def _source_voice(self, language: str | None, name: str | None) -> tuple[Model, Voice]:
        models = [model for model in self.of_kind("tts", name) if model.spec.cloning_languages]
        for model in models:
            if language in model.spec.cloning_languages:
                rate_hz = model.spec.voices[0].sample_rate_hz
                return model, Voice(SOURCE_VOICE, language, model.spec.engine, rate_hz)
        self._check_none_gone("tts")
        can = sorted({code for model in models for code in model.spec.cloning_languages})
        message = f"no model here speaks {language} in the speaker's own voice"
        known = f"; one speaks {', '.join(can)}" if can else ""
        raise Unprocessable(message + known, param="voice")

    # ---- other names -----------------------------------------------------------------

    @property
    def aliases(self) -> Mapping[str, str]:
        """Other names of models and kinds."""
        return self._config.aliases

    def aliases_of(self, name: str) -> list[str]:
        """The other names that a model answers to, its kind's among them."""
        kind = self._config.models[name].kind
        return [alias for alias, of in self._config.aliases.items() if of in (name, kind)]

    @property
    def voice_aliases(self) -> Mapping[str, str | Mapping[str, str]]:
        """Other names of voices: each of one voice, or of one for each language."""
        return self._config.voice_aliases

    def wrong_voice_aliases(self) -> dict[str, str]:
        """The aliases of voices that there are not, each with what is wrong; as far as known.

        A model that is not loaded may have any voice.
        """
        states, names = self.follower.readiness(), self._names["tts"]
        if not names or any(states[name] != READY for name in names):
            return {}
        known = {voice.id: voice.language for _, voice in self.voices()}
        wrong = {}
        for alias, named in self._config.voice_aliases.items():
            for language, voice_id in by_language(named).items():
                what = _wrong_voice(voice_id, language, known)
                if what:
                    wrong[f"voice_aliases.{alias}"] = f"{FAILED}: {what}"
        return wrong

    # ---- figures ---------------------------------------------------------------------

    def figures(self) -> dict[str, Figures]:
        """Of each model that was ready once, and of the graph, in this process."""
        figures = {
            name: Figures(b.statistics, waiting=b.waiting, pending=b.pending, in_flight=b.in_flight)
            for name, b in ((model.name, model.batcher) for model in self.follower.models())
        }
        return {**figures, GRAPH: Figures(self.graph)}

    def statistics(self, name: str) -> ModelStatistics | None:
        """Of a model, of a kind's first model, or of the graph; None of what was never ready."""
        if name == GRAPH:
            return self.graph
        if name not in self._config.models:
            name = next(iter(self._names.get(name, ())), name)
        model = self.follower.known(name)
        return None if model is None else model.batcher.statistics

    async def describe(self, name: str) -> tuple[Sequence[Description], Sequence[ReplicaStats]]:
        """Each replica of a model: where it runs, and its counts.

        Raises:
            Unavailable: no replica answers.
        """
        remote = self.follower.remote(self.get(name).name)
        return await remote.describe(), await remote.stats()
