"""Turns text into YourTTS' character ids: numbers written out, then coqui's own tokenizer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from models.errors import Unprocessable

# num2words' names of languages. The model knows no digits, and would leave them out.
NUMBER_LANGUAGES = {"en": "en", "fr": "fr", "pt": "pt_BR"}
# A comma groups digits in English and is the decimal point in French and Portuguese.
DECIMAL_POINTS = {"en": ".", "fr": ",", "pt": ","}
GROUPED = {  # 1,000,000 in English; 1.000.000 in Portuguese; 1 000 000 in French
    "en": re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])"),
    "fr": re.compile(r"(?<![\d.,])\d{1,3}(?:[.\u00a0\u202f ]\d{3})+(?![\d.])"),
    "pt": re.compile(r"(?<![\d.,])\d{1,3}(?:[.\u00a0\u202f]\d{3})+(?![\d.])"),
}
MAX_DIGITS = 15  # of a number that is read as one; longer ones are read digit by digit


class Alphabet:
    """The characters of one model: ``TTSTokenizer`` of its configuration."""

    def __init__(self, tokenizer: Any, languages: Mapping[str, str]) -> None:
        """Take coqui's tokenizer, and ``languages``: ISO 639-1 -> the model's own name."""
        self._tokenizer, self._languages = tokenizer, languages
        vocabulary = tokenizer.characters.vocab
        self._special = {tokenizer.pad_id, tokenizer.blank_id}
        self._has_digits = set("0123456789") <= set(vocabulary)

    def ids(self, text: str, language: str) -> list[int]:
        """Return the ids of a text; characters that the model does not know are left out.

        Raises:
            Unprocessable: the model knows none of its letters.
        """
        if not self._has_digits:
            text = with_numbers_written_out(text, language)
        ids: list[int] = self._tokenizer.text_to_ids(text, self._languages[language])
        self._tokenizer.not_found_characters.clear()  # they would pile up over calls
        spoken = "".join(
            self._tokenizer.characters.id_to_char(i) for i in ids if i not in self._special
        )
        if not any(character.isalnum() for character in spoken):
            message = "the model knows none of the text's letters"
            raise Unprocessable(message, param="text")
        return ids


def with_numbers_written_out(text: str, language: str) -> str:
    """Write numbers in words, if the language is one of ``NUMBER_LANGUAGES``."""
    if language not in NUMBER_LANGUAGES or not any(c.isdecimal() for c in text):
        return text
    point = re.escape(DECIMAL_POINTS[language])
    ungrouped = GROUPED[language].sub(lambda match: re.sub(r"\D", "", match[0]), text)
    number = re.compile(rf"\d+(?:{point}\d+)?")
    return number.sub(lambda match: _words(match[0], language), ungrouped)


def _words(number: str, language: str) -> str:
    from num2words import num2words  # type: ignore[import-untyped]

    whole, _, decimals = number.partition(DECIMAL_POINTS[language])
    if len(whole) > MAX_DIGITS or len(decimals) > MAX_DIGITS or (whole[0] == "0" and whole != "0"):
        return " ".join(_words(c, language) if c.isdecimal() else c for c in number)
    value = f"{whole}.{decimals}" if decimals else int(whole)
    words: str = num2words(value, lang=NUMBER_LANGUAGES[language])
    return words
