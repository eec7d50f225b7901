"""The models as one ingress process sees them: what each can do, and the batcher before it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from deployments.batcher import Batcher
from deployments.config import AppConfig, BatchPolicy
from deployments.log import logger
from deployments.remote import Description, Remote, ReplicaStats
from models.errors import (
    NotReady,
    Unavailable,
    UnknownLanguage,
    UnknownModel,
    UnknownVoice,
    Unprocessable,
    UnsupportedPair,
)
from models.runtime import RuntimeSpec, Voice
from models.types import SOURCE_VOICE, Kind

PIVOT = "en"  # the language through which pairs go that no model translates directly
READY, LOADING, FAILED = "ready", "loading", "failed"  # what a model can be
POLL_S = 0.2  # between looks while a model is still loading
POLL_WARM_S = 2.0  # and once all have been ready
LOOK_S = 5.0  # what one look may take


@dataclass(slots=True)
class Model:
    """A model that is ready: its name, spec, and the queue before its replicas."""

    name: str
    spec: RuntimeSpec
    batcher: Batcher[Any, Any]


@dataclass(frozen=True, slots=True)
class Hop:
    """One translation on the way from a language to another."""

    model: Model
    source: str
    target: str


def pivot(route: Sequence[Hop]) -> str | None:
    """The language between the first and the last of a way; None of a direct one, or of none."""
    return route[0].target if len(route) > 1 else None


class Fleet:
    """Every configured model; a model can be used once one of its replicas is warm."""

    def __init__(self, config: AppConfig, remotes: Mapping[str, Remote]) -> None:
        self._config = config
        self._remotes = remotes
        self._policies: dict[str, BatchPolicy] = {}
        self._models: dict[str, Model] = {}
        self._states = dict.fromkeys(config.models, LOADING)
        self._watcher: asyncio.Task[None] | None = None
        self.warm = asyncio.Event()  # every model is ready

    # ---- life ------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to look for models that are ready, on the running event loop."""
        if self._watcher is None:
            self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        """Look at every model for as long as this process serves."""
        while True:
            for name in self._remotes:
                try:
                    async with asyncio.timeout(LOOK_S):
                        await self._look_at(name)
                except TimeoutError:
                    pass  # it is busy: what was known of it still holds
                except Exception:  # whatever it is, the others must be looked at
                    logger.exception("looking at model %r failed", name)
            if set(self.readiness().values()) == {READY}:
                self.warm.set()
            await asyncio.sleep(POLL_WARM_S if self.warm.is_set() else POLL_S)

    async def _look_at(self, name: str) -> None:
        try:
            descriptions = await self._remotes[name].describe()
        except Unavailable:  # its first replica is still being made, or its last one has died
            failure = await self._remotes[name].failure()
            self._states[name] = LOADING if failure is None else f"{FAILED}: {failure}"
            return
        self._states[name] = READY
        if name not in self._models:
            self._models[name] = self._model(name, descriptions[0].spec)

    def _model(self, name: str, spec: RuntimeSpec) -> Model:
        batcher: Batcher[Any, Any] = Batcher(
            name,
            self._remotes[name].infer,
            self._policy(name, spec),
            replicas=self._config.models[name].replicas,
            length_buckets=spec.length_buckets,
        )
        return Model(name, spec, batcher)

    def _policy(self, name: str, spec: RuntimeSpec) -> BatchPolicy:
        """The configured policy, within what the engine itself bounds."""
        policy = self._policies.get(name, BatchPolicy())
        rows = min(policy.max_batch_size, spec.max_batch_size or policy.max_batch_size)
        if rows < policy.max_batch_size:
            asked = policy.max_batch_size
            logger.info("model %r takes batches of %d here, not %d", name, rows, asked)
        return policy.model_copy(update={"max_batch_size": rows})

    def reconfigure(self, policies: Mapping[str, BatchPolicy]) -> None:
        """Apply batch policies, to models that are ready and to those that will be."""
        self._policies = dict(policies)
        for name, model in self._models.items():
            model.batcher.reconfigure(self._policy(name, model.spec))

    # ---- what there is ---------------------------------------------------------------

    def readiness(self) -> dict[str, str]:
        """Each configured model: ready, loading, or failed and why."""
        return dict(self._states)

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
        """
        name = self._config.aliases.get(name, name)
        if name not in self._config.models and name in get_args(Kind):
            return self.of_kind(name)[0]  # type: ignore[arg-type]
        if name not in self._config.models:
            known = ", ".join([*self._config.models, *self._config.aliases])
            message = f"there is no model {name[:80]!r}; there are {known}"
            raise UnknownModel(message, param="model")
        if name not in self._models:
            raise NotReady(f"model {name!r} is still loading")
        return self._models[name]

    def of_kind(self, kind: Kind, name: str | None = None) -> list[Model]:
        """The models of one kind that a request may mean, in the order of the configuration.

        Args:
            kind: what is asked of it.
            name: a model or an alias; the kind's own name, or None, means all of its models.

        Raises:
            UnknownModel: the configuration has none, or ``name`` is of another kind.
            NotReady: one of them is still loading.
        """
        if name is not None and self._config.aliases.get(name, name) != kind:
            model = self.get(name)
            if model.spec.kind != kind:
                message = f"model {name!r} is a {model.spec.kind} model, not {kind}"
                raise UnknownModel(message, param="model")
            return [model]
        names = [name for name, model in self._config.models.items() if model.kind == kind]
        if not names:
            raise UnknownModel(f"this server runs no {kind} model", param="model")
        return [self.get(name) for name in names]

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
        self.check_language(source, param="source_language")
        self.check_language(target, param="target_language")
        raise self._unsupported(source, target)

    def check_target(self, target: str) -> None:
        """Refuse a language that nothing is translated into.

        Raises:
            UnknownLanguage: no model here knows it.
            UnsupportedPair: no pair ends in it; the message lists those there are.
        """
        specs = [model.spec for model in self.of_kind("nmt")]
        if not any(target in s.languages or target in (t for _, t in s.pairs) for s in specs):
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
            for model in self._models.values()
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
            found = [(m, v) for m, v in voices if v.id == voice_id]
            if not found:
                known = ", ".join(v.id for _, v in voices)
                message = f"there is no voice {voice_id[:80]!r}; there are {known}"
                raise UnknownVoice(message, param="voice")
            if language not in (None, found[0][1].language):
                message = f"voice {voice_id!r} speaks {found[0][1].language}, not {language}"
                raise Unprocessable(message, param="voice")
            return found[0]
        for model_of_voice, voice in voices:
            if voice.language == language:
                return model_of_voice, voice
        spoken = ", ".join(sorted({v.language for _, v in voices}))
        message = f"no voice speaks {language}; there are voices for {spoken}"
        raise Unprocessable(message, param="voice")

    def _source_voice(self, language: str | None, name: str | None) -> tuple[Model, Voice]:
        models = [model for model in self.of_kind("tts", name) if model.spec.cloning_languages]
        for model in models:
            if language in model.spec.cloning_languages:
                rate_hz = model.spec.voices[0].sample_rate_hz
                return model, Voice(SOURCE_VOICE, language, model.spec.engine, rate_hz)
        can = sorted({code for model in models for code in model.spec.cloning_languages})
        message = f"no model here speaks {language} in the speaker's own voice"
        known = f"; one speaks {', '.join(can)}" if can else ""
        raise Unprocessable(message + known, param="voice")

    # ---- figures ---------------------------------------------------------------------

    async def describe(self, name: str) -> tuple[Sequence[Description], Sequence[ReplicaStats]]:
        """Each replica of a model: where it runs, and its counts.

        Raises:
            Unavailable: no replica answers.
        """
        remote = self._remotes[self.get(name).name]
        return await remote.describe(), await remote.stats()
