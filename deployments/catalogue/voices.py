"""The voices of the TTS models that can be used, and which of them a request means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from deployments.catalogue.model import Model
from models.errors import UnknownVoice, Unprocessable
from models.runtime import Voice
from models.types import SOURCE_VOICE, Samples

CLONING_ENGINES = "yourtts or xtts"  # of those that Dragoman brings, what speaks in any voice


@dataclass(frozen=True, slots=True)
class OwnVoice:
    """A voice that a caller keeps at the server. ``reference``: a clip of it at 16 kHz, [n]."""

    id: str
    reference: Samples = field(compare=False, repr=False)


# What a request may name: an id or an alias, or a voice of the caller's own; None: any.
NamedVoice: TypeAlias = str | OwnVoice | None


def reference_of(voice: NamedVoice) -> Samples | None:
    """Return the clip of a caller's own voice; None: the voice is another one."""
    return voice.reference if isinstance(voice, OwnVoice) else None


def name_of(voice: NamedVoice) -> str | None:
    """Return what a request called the voice."""
    return voice.id if isinstance(voice, OwnVoice) else voice


def by_language(named: str | Mapping[str, str]) -> Mapping[str, str]:
    """List the voices that an alias stands for; "" where it is one, whatever that speaks."""
    return {"": named} if isinstance(named, str) else named


def wrong_voice(voice_id: str, language: str, known: Mapping[str, str]) -> str | None:
    """Say what is wrong with a voice that an alias names, among those known: id -> language."""
    if voice_id not in known:
        return f"there is no voice {voice_id!r}; there are {', '.join(known)}"
    if language and known[voice_id] != language:
        return f"voice {voice_id!r} speaks {known[voice_id]}, not {language}"
    return None


class Voices:
    """Chooses among the voices of some models.

    Args:
        models: those that a request may mean, in the order of the configuration.
        aliases: other names of voices: each of one voice, or of one for each language.
        check_none_missing: raises ``Unavailable`` while a TTS model is unloaded.
    """

    def __init__(
        self,
        models: Sequence[Model],
        aliases: Mapping[str, str | Mapping[str, str]],
        check_none_missing: Callable[[], None],
    ) -> None:
        self._models = models
        self._aliases = aliases
        self._check_none_missing = check_none_missing

    def all(self) -> list[tuple[Model, Voice]]:
        """List every voice with its model."""
        return [(model, voice) for model in self._models for voice in model.spec.voices]

    def choose(self, voice_id: NamedVoice, language: str | None) -> tuple[Model, Voice]:
        """Return the voice of that id, or the first that speaks the language.

        ``SOURCE_VOICE`` is the voice of whoever is translated, and an ``OwnVoice`` that of its
        clip, from a model that can clone it.

        Raises:
            UnknownVoice: there is none of that id; the message lists those there are.
            Unprocessable: it does not speak the language, or no voice does.
            Unavailable: there is none, and a model is missing that might have it.
        """
        if voice_id == SOURCE_VOICE:
            return self._cloned(language)
        if isinstance(voice_id, OwnVoice):
            model, voice = self._cloned(language)
            return model, replace(voice, id=voice_id.id)
        if voice_id is not None:
            return self._named(voice_id, language)
        for model, voice in self.all():
            if voice.language == language:
                return model, voice
        self._check_none_missing()
        spoken = ", ".join(sorted({voice.language for _, voice in self.all()}))
        message = f"no voice speaks {language}; there are voices for {spoken}"
        raise Unprocessable(message, param="voice")

    def _named(self, voice_id: str, language: str | None) -> tuple[Model, Voice]:
        """Choose by a voice's own id, or else by an alias."""
        by_id: dict[str, tuple[Model, Voice]] = {}
        for model, voice in self.all():
            by_id.setdefault(voice.id, (model, voice))
        ids = [voice_id]
        if voice_id not in by_id and voice_id in self._aliases:
            ids = list(by_language(self._aliases[voice_id]).values())
        found = [by_id[each] for each in ids if each in by_id]
        if not found or (language is None and ids[0] not in by_id):
            self._check_none_missing()  # its voice would be another language's
        if not found:
            known = ", ".join([*by_id, *self._aliases])
            message = f"there is no voice {voice_id[:80]!r}; there are {known}"
            raise UnknownVoice(message, param="voice")
        speaking = [each for each in found if language in (None, each[1].language)]
        if not speaking:
            if len(found) < len(ids):
                self._check_none_missing()
            spoken = ", ".join(dict.fromkeys(voice.language for _, voice in found))
            message = f"voice {voice_id!r} speaks {spoken}, not {language}"
            raise Unprocessable(message, param="voice")
        return speaking[0]

    def cloning(self) -> list[Model]:
        """List the models that speak in the voice of a recording, at least one.

        Raises:
            Unprocessable: there is none; the message says which engine would be one.
            Unavailable: there is none, and a model is missing that might be one.
        """
        models = [model for model in self._models if model.spec.cloning_languages]
        if not models:
            self._check_none_missing()
            message = "no model here speaks in the voice of a recording; one of the engine "
            raise Unprocessable(f"{message}{CLONING_ENGINES} would", param="voice")
        return models

    def _cloned(self, language: str | None) -> tuple[Model, Voice]:
        """Choose a model that speaks the language in the voice of a recording."""
        models = self.cloning()
        for model in models:
            if language in model.spec.cloning_languages:
                rate_hz = model.spec.voices[0].sample_rate_hz
                return model, Voice(SOURCE_VOICE, language, model.spec.engine, rate_hz)
        self._check_none_missing()
        can = sorted({code for model in models for code in model.spec.cloning_languages})
        message = f"no model here speaks {language} in the speaker's own voice"
        raise Unprocessable(f"{message}; one speaks {', '.join(can)}", param="voice")
