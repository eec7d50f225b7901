"""What a viewer can read, by language: Netflix' guides for timed text, for adults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# https://partnerhelp.netflixstudios.com/hc/articles/215758617: of every language.
MAX_CUE_S, LEAST_CUE_S = 7.0, 5 / 6
GAP_MS = 84  # two pictures of a film of 24 a second
MAX_LINES = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """Columns of a line, and columns that are read in a second; a wide character has two."""

    line_width: int = 42
    reading_width_a_s: int = 17


USUAL = Limits()
_BY_LANGUAGE: Mapping[str, Limits] = {
    "en": Limits(reading_width_a_s=20),
    "ja": Limits(line_width=26, reading_width_a_s=8),
    "ko": Limits(line_width=32, reading_width_a_s=24),
    "ru": Limits(line_width=39),
    "th": Limits(line_width=35),
    "zh": Limits(line_width=32, reading_width_a_s=18),
}


def limits_of(language: str) -> Limits:
    """Return the limits of a language, of which a region or script may stand behind the code."""
    return _BY_LANGUAGE.get(language.partition("-")[0].lower(), USUAL)
