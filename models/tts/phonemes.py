"""Turns text into IPA phonemes, in pieces that a voice can take.

The phonemes are espeak-ng's, which comes with piper-tts (GPL-3.0, an optional extra).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from threading import Lock

from models.errors import TooLarge, WeightsError
from models.types import FIRST_SOUND

PHONEMES_LICENCE = "phonemes by piper-tts (GPL-3.0)"
MISSING_EXTRA = (
    "the Piper and Kokoro voices take their phonemes from piper-tts (GPL-3.0), "
    "which is not installed: pip install dragoman[piper]"
)
# espeak-ng keeps 1,000 phonemes of a clause (its N_PHONEME_LIST) and drops the rest in silence.
# With stress marks, 1,000 phonemes have more code points than this.
SAFE_CLAUSE_PHONEMES = 800
# Bounds the pieces of a text. A sentence of prose has about a phoneme a character; numbers and
# ideographs have ten times as many (English reads each ideograph as "Chinese letter").
MAX_PIECES = 20  # of one text, if each of them is full
# Where a sequence may be cut: behind these and before a space, or behind those that need none.
_SPACED_ENDS, _UNSPACED_ENDS = frozenset(",;:.!?…—)"), frozenset("、，；：。！？")
_SOUND = re.compile("([\ue000-\uf8ff])")  # from ``FIRST_SOUND`` on
_POSSESSIVE, _BETWEEN = re.compile(r"['’]s\b"), frozenset(" ,;:.!?…—")
# espeak-ng is a C library with one global voice: no two threads may use it at once.
_ESPEAK_LOCK = Lock()


class Phonemizer:
    """One espeak-ng voice, from text to phonemes, each one Unicode code point in NFD."""

    def __init__(self, espeak_voice: str, vowel_clusters: Collection[tuple[str, ...]] = ()) -> None:
        """Open a voice.

        Args:
            espeak_voice: a name of ``espeak-ng --voices``, e.g. ``en-us`` or ``pt-br``.
            vowel_clusters: sequences of code points that count as one phoneme.

        Raises:
            WeightsError: piper-tts is not installed, or espeak-ng has no such voice.
        """
        try:
            from piper.phonemize_espeak import EspeakPhonemizer
        except ImportError as error:
            raise WeightsError(MISSING_EXTRA) from error
        self._espeak = EspeakPhonemizer()
        self._voice = espeak_voice
        self._vowel_clusters = set(vowel_clusters) or None
        try:
            self("a")
        except RuntimeError as error:
            raise WeightsError(f"espeak-ng has no voice {espeak_voice!r}") from error

    def __call__(self, text: str, sounds: Sequence[str] = ()) -> list[str]:
        """Return the phonemes of ``text`` (as ``clean`` returns it) with stress marks and
        punctuation. ``sounds`` stand for characters of it, see ``TtsItem``.
        """
        if not sounds:
            return self._of_prose(text)
        phonemes: list[str] = []
        for piece in _SOUND.split(text):
            if _SOUND.fullmatch(piece):
                number = ord(piece) - ord(FIRST_SOUND)
                phonemes += unicodedata.normalize("NFD", "".join(sounds[number : number + 1]))
            else:
                phonemes += self._beside_sounds(piece)
        return phonemes

    def _beside_sounds(self, prose: str) -> list[str]:
        """Return the phonemes of prose before or behind a sound, with the spaces between."""
        phonemes = list[str]()
        if self._voice.startswith("en") and (possessive := _POSSESSIVE.match(prose)):
            phonemes, prose = ["z"], prose[possessive.end() :]
        start = next((at for at, c in enumerate(prose) if c.isalnum()), len(prose))
        phonemes += [c for c in prose[:start] if c in _BETWEEN]
        if is_speakable(prose):
            phonemes += self._of_prose(prose[start:].strip())
            last = max(at for at, c in enumerate(prose) if c.isalnum())
            phonemes += " " * any(map(str.isspace, prose[last:]))
        return phonemes

    def _of_prose(self, text: str) -> list[str]:
        """Return the phonemes of a text that is all words.

        Sentences that espeak-ng cuts are joined to one sequence, with a space between them. A text
        of which espeak-ng may have dropped the end is cut in two, as often as needed.
        """
        phonemes = self._phonemes(text)
        if len(text) < 2 or _longest_clause(phonemes) <= SAFE_CLAUSE_PHONEMES:
            return phonemes
        middle = len(text) // 2
        space = text.rfind(" ", 0, middle)
        cut = space if space > 0 else middle
        return [*self._of_prose(text[:cut]), " ", *self._of_prose(text[cut:])]

    def _phonemes(self, text: str) -> list[str]:
        with _ESPEAK_LOCK:
            sentences = self._espeak.phonemize(
                self._voice, text, vowel_clusters=self._vowel_clusters
            )
        phonemes: list[str] = []
        for sentence in filter(None, sentences):
            phonemes += [" ", *sentence] if phonemes else sentence
        return phonemes


def _longest_clause(phonemes: Sequence[str]) -> int:
    longest = start = 0
    for place, phoneme in enumerate([*phonemes, "."]):
        if phoneme in _SPACED_ENDS:
            longest, start = max(longest, place - start), place + 1
    return longest


def clean(text: str) -> str:
    """Remove what espeak-ng's C interface cannot take.

    Control characters and lone surrogates become spaces.
    """
    return "".join(
        " " if unicodedata.category(character) in ("Cc", "Cs") else character for character in text
    ).strip()


def is_speakable(text: str) -> bool:
    """Tell whether there is a letter or a digit; espeak-ng would read punctuation by its name."""
    return any(character.isalnum() for character in text)


def pieces(phonemes: Sequence[str], limit: int) -> list[list[str]]:
    """Cut the phonemes of one text into pieces of about one length, none over ``limit``.

    A piece ends behind punctuation, where none stands near at a space, else anywhere; the
    space around it is left out. A sequence within the limit is one piece, as it is. The time
    is linear in the length.

    Raises:
        TooLarge: there are more than ``MAX_PIECES * limit`` phonemes.
    """
    if len(phonemes) > MAX_PIECES * limit:
        raise TooLarge(
            f"a text of {len(phonemes)} phonemes is too long: {MAX_PIECES * limit} is the limit",
            param="text",
        )
    if len(phonemes) <= limit:
        return [list(phonemes)] if phonemes else []
    return list(_cut(phonemes, limit))


def _cut(phonemes: Sequence[str], limit: int) -> Iterator[list[str]]:
    start = 0
    while start < len(phonemes):
        if phonemes[start].isspace():
            start += 1
            continue
        end = _best_end(phonemes, start, limit)
        yield list(phonemes[start:end])
        start = end


def _best_end(phonemes: Sequence[str], start: int, limit: int) -> int:
    """Return where the piece from ``start`` ends, ``start < end <= start + limit``.

    The place nearest to equal pieces is taken, so that no last one is a single word.
    """
    left = len(phonemes) - start
    if left <= limit:
        return len(phonemes)
    even = math.ceil(left / math.ceil(left / limit))
    ends = [end for end in range(start + 1, start + limit + 1) if not phonemes[end - 1].isspace()]
    word_ends = [end for end in ends if phonemes[end].isspace()]
    clause_ends = [end for end in word_ends if phonemes[end - 1] in _SPACED_ENDS]
    clause_ends += [
        end
        for end in ends
        if phonemes[end - 1] in _UNSPACED_ENDS and phonemes[end] not in _UNSPACED_ENDS
    ]
    near = [end for end in clause_ends if end - start > even // 2]
    return min(near or word_ends or [start + even], key=lambda end: abs(end - start - even))
