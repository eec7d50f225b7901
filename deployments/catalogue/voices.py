"""The voices of the TTS models that can be used, and which of them a request means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from deployments.catalogue.model import Model
from models.errors import UnknownVoice, Unprocessable
from models.runtime import Voice
from models.types import SOURCE_VOICE


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

    def choose(self, voice_id: str | None, language: str | None) -> tuple[Model, Voice]:
        """Return the voice of that id, or the first that speaks the language.

        ``SOURCE_VOICE`` is the voice of whoever is translated, from a model that can clone it.

        Raises:
            UnknownVoice: there is none of that id; the message lists those there are.
            Unprocessable: it does not speak the language, or no voice does.
            Unavailable: there is none, and a model is missing that might have it.
        """
        if voice_id == SOURCE_VOICE:
            return self._cloned(language)
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

    def _cloned(self, language: str | None) -> tuple[Model, Voice]:
        """Choose a model that speaks the language in the voice of a recording."""
        models = [model for model in self._models if model.spec.cloning_languages]
        for model in models:
            if language in model.spec.cloning_languages:
                rate_hz = model.spec.voices[0].sample_rate_hz
                return model, Voice(SOURCE_VOICE, language, model.spec.engine, rate_hz)
        self._check_none_missing()
        can = sorted({code for model in models for code in model.spec.cloning_languages})
        message = f"no model here speaks {language} in the speaker's own voice"
        known = f"; one speaks {', '.join(can)}" if can else ""
        raise Unprocessable(message + known, param="voice")
