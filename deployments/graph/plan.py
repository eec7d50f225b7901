"""What one request will do, with which models: resolved once and checked once, before decoding.

A handler parses its request and asks the ``Planner`` for the plan; from then on nobody asks which
models there are. Only the language of speech may be known later: its route comes from the plan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from deployments.catalogue.language_pairs import Hop, Route, Routes
from deployments.catalogue.model import Model
from deployments.catalogue.selection import Fleet
from deployments.catalogue.voices import NamedVoice, reference_of
from deployments.graph.listening import WINDOW_VAD
from deployments.graph.text_options import GREEDY, TextOptions
from deployments.telemetry.log import logger
from models.errors import Unavailable, UnsupportedPair
from models.runtime import Voice
from models.text.glossary import Glossary
from models.types import SOURCE_VOICE, Kind, Samples, Task, VadParameters


@dataclass(frozen=True, slots=True)
class TranscribeOptions:
    """Options of a transcription.

    Attributes:
        language: None: as each stretch of the recording is heard.
        keywords, glossary: terms that are likely to be said.
        languages: those that doubtful speech may be in; empty: all.
        candidates: those that any speech is in; empty: all.
        vad: by which rules speech is found.
    """

    language: str | None = None
    task: Task = "transcribe"
    word_timestamps: bool = False
    prompt: str | None = None
    temperature: float | None = None
    keywords: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    glossary: Glossary | None = None
    vad: VadParameters = WINDOW_VAD

    @property
    def written_in(self) -> str | None:
        """Return the language of the text; None: the one that is spoken."""
        return "en" if self.task == "translate" else None


@dataclass(frozen=True, slots=True)
class TranslateOptions:
    """Options of translated speech.

    Attributes:
        source_language: None: as it is heard.
        voice: ``SOURCE_VOICE`` is the speaker's own; None: the first of the language.
        speak: False: text only.
        embed: whether the speaker's voice is embedded, too.
        prompt: a text that could stand before what is said.
        temperature: at which the recogniser samples; None: as it decides.
        fit: whether each sentence is placed where it was said, for which words need their times.
        glossary: terms that may be said, with their translations and sounds.
    """

    target_language: str
    source_language: str | None = None
    voice: NamedVoice = None
    speed: float = 1.0
    speak: bool = True
    embed: bool = False
    prompt: str | None = None
    temperature: float | None = None
    fit: bool = False
    glossary: Glossary | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Hearing:
    """Find the speech in a recording, and write down what is said."""

    vad: Model
    asr: Model
    options: TranscribeOptions = TranscribeOptions()

    @property
    def models(self) -> list[Model]:
        return [self.vad, self.asr]


@dataclass(frozen=True, slots=True, eq=False)
class Translating:
    """Translate sentences into one language.

    Attributes:
        routes: those there were when the request was planned.
        named: the route from the language that the caller names; None: they name none.
        options: of each sentence.
    """

    target: str
    routes: Routes
    named: Route | None = None
    options: TextOptions = GREEDY

    def route_from(self, language: str) -> Route | None:
        """Return the route from a language that was heard; None: nothing translates it.

        Raises:
            Unavailable: nothing translates it, and a model is missing that might.
        """
        route = self.routes.find(language, self.target)
        if route is None and language != self.target:
            self.routes.check_none_missing()
        return route


@dataclass(frozen=True, slots=True, eq=False)
class Speaking:
    """Speak with a voice of a model.

    Attributes:
        reference: a clip of the voice to speak in; None: the voice is the model's own, or
            the one of a recording that is not heard yet.
        glossary: terms with a sound of their own.
    """

    model: Model
    voice: Voice
    speed: float
    reference: Samples | None = None
    glossary: Glossary | None = None

    @property
    def clones(self) -> bool:
        """Tell whether the voice is that of whoever is translated."""
        return self.voice.id == SOURCE_VOICE

    def in_voice_of(self, reference: Samples) -> Speaking:
        """Return the plan to speak in the voice of a clip."""
        return replace(self, reference=reference)


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """Embed the voice of a clip. ``vad`` finds its speech; None: the clip is taken as it is."""

    speaker: Model
    vad: Model | None

    @property
    def models(self) -> list[Model]:
        return [self.speaker] if self.vad is None else [self.vad, self.speaker]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Translate speech: all that the whole graph does for one recording.

    Attributes:
        speaking: None: text only.
        embedding: None: the caller does not ask for the speaker's embedding.
        likeness: tells how much the voice that speaks is like the speaker's; None: nothing does,
            or the voice is not the speaker's own.
        is_part: it is of a part of a recording, of which nothing may be translated.
    """

    hearing: Hearing
    translating: Translating
    speaking: Speaking | None = None
    embedding: Embedding | None = None
    likeness: Model | None = None
    is_part: bool = False

    @property
    def models(self) -> list[Model]:
        """List those that the recording must pass one after another, as far as known."""
        named = self.translating.named
        models = [*self.hearing.models, *(named.models if named else ())]
        return models if self.speaking is None else [*models, self.speaking.model]


class Planner:
    """Resolves what requests ask for to models that can be used now.

    Every method raises ``UnknownModel``, ``NotReady`` or ``Unavailable`` for a model that is not
    there, and the errors of the languages and voices that it looks up.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def model(self, kind: Kind, name: str | None = None) -> Model:
        """Return the model that a request names, or the first of its kind."""
        return self._fleet.pick(kind, name)

    def speech_translation(self, options: TranslateOptions, asr: Model | None = None) -> Plan:
        """Plan the whole graph for one recording; ``asr`` is the recogniser that is named.

        Raises:
            UnsupportedPair, UnknownLanguage: no route leads there from the language that is
                named, or from any.
            UnknownVoice, Unprocessable: no such voice speaks the language.
        """
        source, target = options.source_language, options.target_language
        texts, glossary = TextOptions(glossary=options.glossary), options.glossary
        if source is None:
            routes = self._fleet.routes_to(target)
            translating = Translating(target, routes, options=texts)
            languages = routes.sources(target)
        else:
            named = self._fleet.route(source, target)
            translating = Translating(target, self._fleet.routes(), named, texts)
            languages = ()
        hearing = TranscribeOptions(
            source,
            word_timestamps=options.fit,
            prompt=options.prompt,
            temperature=options.temperature,
            languages=languages,
            glossary=glossary,
        )
        speaking = None
        if options.speak:
            chosen = self._fleet.voices().choose(options.voice, target)
            speaking = Speaking(*chosen, options.speed, reference_of(options.voice), glossary)
        vad, asr = self.model("vad"), asr or self.model("asr")
        clones = speaking is not None and speaking.clones
        return Plan(
            Hearing(vad, asr, hearing),
            translating,
            speaking,
            Embedding(self.model("speaker"), vad) if options.embed else None,
            self._likeness() if clones else None,
        )

    def _likeness(self) -> Model | None:
        """Return the model that compares voices: nobody asked for it, so it may be missing."""
        if not self._fleet.has("speaker"):
            return None
        try:
            return self.model("speaker")
        except Unavailable as error:
            logger.warning("the likeness of a voice will not be known: %s", error)
            return None

    def transcription(
        self, options: TranscribeOptions, asr: Model | None = None, *, param: str = "language"
    ) -> Hearing:
        """Plan a transcript. ``param`` names the request's field of the language.

        Raises:
            UnknownLanguage: no model here knows the language.
        """
        if options.language is not None:
            self._fleet.check_language(options.language, param=param)
        for candidate in options.candidates:
            self._fleet.check_language(candidate, param="languages[]")
        return Hearing(self.model("vad"), asr or self.model("asr"), options)

    def text_translation(self, source: str, target: str, model: str | None = None) -> Route:
        """Plan the translation of texts, by the one model that is named or by any.

        Raises:
            UnsupportedPair: there is no route.
            UnknownLanguage: no model here knows one of the languages.
        """
        if model is None:
            return self._fleet.route(source, target)
        nmt = self.model("nmt", model)
        if not nmt.spec.translates(source, target):
            message = f"model '{model}' does not translate {source} to {target}"
            raise UnsupportedPair(message, param="target_language")
        return Route((Hop(nmt, source, target),))

    def speech(
        self,
        voice: NamedVoice,
        language: str | None,
        model: str | None = None,
        *,
        speed: float = 1.0,
        reference: Samples | None = None,
    ) -> Speaking:
        """Plan to speak, with a voice of that id or the first that speaks the language.

        Raises:
            UnknownLanguage: no model here knows the language.
            UnknownVoice, Unprocessable: no such voice speaks it.
        """
        if language is not None:
            self._fleet.check_language(language, param="language")
        chosen = self._fleet.voices(model).choose(voice, language)
        own = reference_of(voice) if reference is None else reference
        return Speaking(*chosen, speed, own)

    def embedding(self, speaker: Model, *, listens: bool = True) -> Embedding:
        """Plan the embedding of clips. ``listens``: of their speech alone, if there is a VAD."""
        vad = self.model("vad") if listens and self._fleet.has("vad") else None
        return Embedding(speaker, vad)
