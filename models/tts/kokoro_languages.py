"""The languages that Kokoro was trained on: which one a voice speaks, and its phonemes by misaki.

Phonemes of misaki are in Kokoro's own alphabet. English is written by misaki's rules for words that
its lexicon lacks, as the lexicon needs a tagger that no package index has.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from models.errors import TooLarge, Unprocessable, WeightsError
from models.text.sentences import split
from models.tts.phonemes import Phonemizer
from models.weights.cached_files import cache_folder

# The first letter of a published voice's name, as in af_heart.
LANGUAGES = {
    **{"a": "en-us", "b": "en-gb", "e": "es", "f": "fr-fr", "h": "hi", "i": "it", "j": "ja"},
    **{"p": "pt-br", "z": "zh"},
}
MISSING_EXTRA = (
    "Kokoro takes the phonemes of {language} from {library}, which is not installed: "
    "pip install dragoman[kokoro-languages]"
)
MISAKI_LICENCE = "phonemes by misaki (Apache-2.0) with espeak-ng (GPL-3.0)"
MOST_CHARS = 1_000  # of one text
MOST_JAPANESE_CHARS = 60  # at once: the time of its rules grows with the cube of the length
Write: TypeAlias = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class VoiceName:
    """A voice to speak with, as the configuration names it.

    Attributes:
        id: as callers name it.
        style: its name in the file of voices.
        dialect: one of ``LANGUAGES``.
    """

    id: str
    style: str
    dialect: str

    @property
    def language(self) -> str:
        """Return the ISO 639-1 code of what it speaks."""
        return self.dialect.partition("-")[0]


def voice_name(name: str) -> VoiceName:
    """Read the name of a voice: ``af_heart``, or ``af_heart/es`` to speak another language.

    Raises:
        ValueError: it tells no language that Kokoro speaks.
    """
    style, slash, dialect = name.partition("/")
    if not slash and style[1:3] in ("f_", "m_"):
        dialect = LANGUAGES.get(style[0], "")
    if dialect not in LANGUAGES.values():
        known = ", ".join(LANGUAGES.values())
        raise ValueError(
            f"voices: {name!r} tells no language; a name begins as af_heart does, or ends with one "
            f"of {known}, as in {style}/es"
        )
    return VoiceName(name, style, dialect)


class MisakiPhonemizer(Phonemizer):
    """One language as misaki writes it, with the sounds of glossaries between."""

    def __init__(self, dialect: str) -> None:
        """Open a language of ``LANGUAGES``. Raises WeightsError: a library is not installed."""
        self._voice, self._vowel_clusters = dialect, None
        try:
            self._write = _OPENERS.get(dialect, _espeak)(dialect)
        except ImportError as error:
            message = MISSING_EXTRA.format(language=dialect, library=error.name)
            raise WeightsError(message) from error

    def _of_prose(self, text: str) -> list[str]:
        if self._voice in ("ja", "zh"):  # espeak-ng alone drops the end of a long clause
            return self._phonemes(text)
        return super()._of_prose(text)

    def _phonemes(self, text: str) -> list[str]:
        if len(text) > MOST_CHARS:
            message = f"a text of {len(text)} characters is too long: {MOST_CHARS} is the limit"
            raise TooLarge(message, param="text")
        try:
            return list(self._write(text))
        except Exception as error:  # the rules of its libraries raise for texts they did not expect
            message = f"this text cannot be read in {self._voice}"
            raise Unprocessable(message, param="text") from error


def _espeak(dialect: str) -> Write:
    from misaki.espeak import EspeakG2P

    writer = EspeakG2P(dialect)
    _quiet("phonemizer")
    return lambda text: str(writer(text)[0])


def _english(dialect: str) -> Write:
    from misaki.espeak import EspeakFallback

    writer = EspeakFallback(british=dialect == "en-gb")
    _quiet("phonemizer")
    return lambda text: writer(_Token(text))[0] or ""


@dataclass(frozen=True, slots=True)
class _Token:
    """What misaki's English rules read of a token."""

    text: str


def _japanese(dialect: str) -> Write:
    from misaki.cutlet import Cutlet

    writer = Cutlet()

    def write(text: str) -> str:
        if len(text) <= MOST_JAPANESE_CHARS:
            return str(writer(text)[0])
        cut = split(text, "ja", max_chars=MOST_JAPANESE_CHARS)
        parts = zip(cut.gaps, (*cut.sentences, ""), strict=True)
        return " ".join(filter(None, (str(writer(gap + each)[0]) for gap, each in parts)))

    return write


def _chinese(dialect: str) -> Write:
    import jieba
    from misaki.zh import ZHG2P

    jieba.setLogLevel(logging.ERROR)
    folder = cache_folder() / "jieba"  # by itself it takes one that every user may write to
    folder.mkdir(parents=True, exist_ok=True)
    jieba.dt.tmp_dir = str(folder)
    writer: Any = ZHG2P()
    return lambda text: str(writer(text)[0])


def _quiet(logger: str) -> None:
    """Keep texts that are spoken out of the log."""
    logging.getLogger(logger).setLevel(logging.ERROR)


_OPENERS: dict[str, Callable[[str], Write]] = {
    **{"en-us": _english, "en-gb": _english, "ja": _japanese, "zh": _chinese},
}
