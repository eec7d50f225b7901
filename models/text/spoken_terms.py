"""Puts the sounds of a glossary's terms into a text that is to be spoken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from models.text.term_places import TermPlaces
from models.types import FIRST_SOUND

_SOUND = re.compile("[\ue000-\uf8ff]")
_NO_PHONEMES = str.maketrans({"'": "ˈ", **dict.fromkeys(".|‿/[]")})  # how people write phonemes


@dataclass(frozen=True, slots=True)
class SpokenTerm:
    """A term, and its sound: another spelling, or phonemes between slashes."""

    text: str
    sound: str
    case_sensitive: bool = False


def is_phonemes(sound: str) -> bool:
    """Tell whether a sound is phonemes, between slashes, and no spelling."""
    return len(sound) > len("//") and sound[0] == sound[-1] == "/"


class SpokenTerms:
    """The terms of one language that have a sound of their own."""

    def __init__(self, terms: Sequence[SpokenTerm], language: str) -> None:
        words = [(term.text, term.case_sensitive) for term in terms]
        self._terms, self._places = terms, TermPlaces(words, language, plurals=False)
        phonemes = dict.fromkeys(each.sound for each in terms if is_phonemes(each.sound))
        self._signs = {sound: chr(ord(FIRST_SOUND) + at) for at, sound in enumerate(phonemes)}
        self._phonemes = {sign: sound for sound, sign in self._signs.items()}

    def said(self, text: str, *, takes_phonemes: bool) -> tuple[str, tuple[str, ...]]:
        """Return a text with other spellings, and a character of its own for each phonemes.

        The second value names terms that stay as they are: the voice takes no phonemes.
        """
        text = _SOUND.sub(" ", text)
        parts, end, unused = list[str](), 0, dict[str, None]()
        for place in self._places.find(text):
            term = self._terms[place.number]
            sound = self._signs.get(term.sound, term.sound)
            if sound in self._phonemes and not takes_phonemes:
                unused[term.text] = None
                continue
            parts += [text[end : place.start], sound]
            end = place.stop
        return "".join([*parts, text[end:]]), tuple(unused)

    def phonemes_in(self, sentence: str) -> tuple[str, tuple[str, ...]]:
        """Return a sentence as ``TtsItem`` has it, and its phonemes."""
        found = dict.fromkeys(sign for sign in sentence if sign in self._phonemes)
        own: dict[str, str | int | None] = {
            sign: chr(ord(FIRST_SOUND) + at) for at, sign in enumerate(found)
        }
        sounds = (self._phonemes[sign].translate(_NO_PHONEMES) for sign in found)
        return sentence.translate(str.maketrans(own)), tuple(sounds)
