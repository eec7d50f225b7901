"""Checks items, and turns them into characters, a language, and a voice or a clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import InvalidRequest, TooLarge, Unprocessable
from models.tts.phonemes import is_speakable
from models.tts.speech import checked_text
from models.tts.yourtts.text import Alphabet
from models.types import SOURCE_VOICE, Samples, TtsItem


@dataclass(frozen=True, slots=True, eq=False)
class VoiceRow:
    """A voice of the model: a speaker and a language."""

    d_vector: NDArray[np.float32]  # [d]
    language: str  # ISO 639-1


@dataclass(frozen=True, slots=True, eq=False)
class SpokenItem:
    """An item that can be spoken; ``voice`` is a d-vector, or the clip of a reference."""

    ids: list[int]
    language: int
    voice: NDArray[np.float32] | Samples
    speed: float
    is_reference: bool


@dataclass(frozen=True, slots=True, eq=False)
class ItemReader:
    """The letters, voices and languages of a loaded model, against which items are checked."""

    alphabet: Alphabet
    voices: dict[str, VoiceRow]
    language_rows: dict[str, int]  # ISO 639-1 -> row of the language embedding
    max_chars: int

    def read(self, item: TtsItem) -> SpokenItem | None:
        """Check an item, and return what to speak; None: there is nothing.

        Raises:
            DragomanError: the item cannot be spoken; its ``param`` names the field.
        """
        languages = {SOURCE_VOICE: item.language or ""}
        if item.voice in self.voices:
            languages[item.voice] = self.voices[item.voice].language
        text = checked_text(item, languages)
        if len(text) > self.max_chars:
            message = f"the text has {len(text)} characters, over {self.max_chars}"
            raise TooLarge(message, param="text")
        language, voice = self._voice(item)
        if not is_speakable(text):
            return None
        ids = self.alphabet.ids(text, language)
        row = self.language_rows[language]
        return SpokenItem(ids, row, voice, item.speed, item.reference is not None)

    def _voice(self, item: TtsItem) -> tuple[str, NDArray[np.float32] | Samples]:
        """Return the language, and the d-vector of a voice or the clip of a reference."""
        if (item.reference is not None) != (item.voice == SOURCE_VOICE):
            message = f"the voice {SOURCE_VOICE!r}, and it alone, takes a reference"
            raise InvalidRequest(message, param="voice")
        if item.reference is not None:
            if item.language not in self.language_rows:
                known = ", ".join(self.language_rows)
                message = f"the model speaks {known}, not {item.language}"
                raise Unprocessable(message, param="language")
            return item.language, item.reference
        voice = self.voices[item.voice]
        if item.language not in (None, voice.language):
            message = f"voice {item.voice!r} speaks {voice.language}, not {item.language}"
            raise Unprocessable(message, param="voice")
        return voice.language, voice.d_vector
