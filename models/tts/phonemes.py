"""Text to IPA phonemes with espeak-ng, which comes with piper-tts (GPL-3.0, an optional extra)."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from threading import Lock

from models.errors import WeightsError

MISSING_EXTRA = (
    "the Piper and Kokoro voices take their phonemes from piper-tts (GPL-3.0), "
    "which is not installed: pip install dragoman[piper]"
)
# espeak-ng is a C library with one global voice: no two threads may use it at once.
_ESPEAK_LOCK = Lock()


class Phonemizer:
    """One espeak-ng voice: text in, phonemes out, each one Unicode code point in NFD."""

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

    def __call__(self, text: str) -> list[str]:
        """The phonemes of ``text`` (as ``clean`` gives it) with stress marks and punctuation.

        What espeak-ng takes for several sentences is one sequence, with a space between them.
        """
        with _ESPEAK_LOCK:
            sentences = self._espeak.phonemize(
                self._voice, text, vowel_clusters=self._vowel_clusters
            )
        phonemes: list[str] = []
        for sentence in filter(None, sentences):
            phonemes += [" ", *sentence] if phonemes else sentence
        return phonemes


def clean(text: str) -> str:
    """``text`` without what espeak-ng's C interface cannot take: control characters and lone
    surrogates become spaces.
    """
    return "".join(
        " " if unicodedata.category(character) in ("Cc", "Cs") else character for character in text
    ).strip()


def is_speakable(text: str) -> bool:
    """Whether there is a letter or a digit. espeak-ng would read mere punctuation by its name."""
    return any(character.isalnum() for character in text)
