"""Headers that put the texts of a translation beside its audio."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from deployments.graph.pipeline import SpeechTranslation

# A proxy's buffer holds all headers of an answer (HAProxy's: 16 kB), so each text is cut there.
MAX_HEADER_TEXT_CHARS = 4000
# RFC 8187: what may stand unencoded in an ext-value, beside letters and digits.
ATTR_CHARS = "!#$&+-.^_`|~"


def text_headers(target_language: str, answer: SpeechTranslation) -> Mapping[str, str]:
    """Put the answer's texts beside its audio, as RFC 8187 ext-values."""
    headers = {
        "x-transcript": _ext_value(answer.text),
        "x-translation": _ext_value(answer.translation),
        "x-target-language": target_language,
    }
    if answer.language is not None:
        headers["x-source-language"] = answer.language
    if answer.voice is not None:
        headers["x-voice"] = answer.voice.id
    if answer.voice_similarity is not None:
        headers["x-voice-similarity"] = f"{answer.voice_similarity:.4f}"
    if answer.pivot is not None:
        headers["x-pivot-language"] = answer.pivot
    if not all(map(_fits_header, (answer.text, answer.translation))):
        headers["x-text-truncated"] = "true"
    return headers


def _fits_header(text: str) -> bool:
    return len(quote(text, safe=ATTR_CHARS)) <= MAX_HEADER_TEXT_CHARS


def _ext_value(text: str) -> str:
    """Write ``UTF-8''`` and the text, percent-encoded; cut at a character where it is too long."""
    while not _fits_header(text):
        text = text[: len(text) * 3 // 4]
    return f"UTF-8''{quote(text, safe=ATTR_CHARS)}"
