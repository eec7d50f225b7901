"""How a request wants speech to be heard: where it is cut, which words and languages are likely."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from deployments.graph.listening import WINDOW_VAD
from deployments.http.parsing import Fields
from models.text.languages import language_code
from models.types import VadParameters

CHUNKING = "chunking_strategy"
# Whisper reads at most 223 tokens of the text before; rare names take a token for 3 characters.
MAX_KEYWORDS, MAX_KEYWORD_CHARS = 100, 500
MAX_LANGUAGES = 16
NESTED_PARTS = 2  # of ``chunking_strategy[type]``, around its bracket


class ServerVad(Fields):
    """Rules of the caller's by which speech is found; what is left out is as usual."""

    type: Literal["server_vad"] = "server_vad"
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    prefix_padding_ms: Annotated[int, Field(ge=0, le=5000)] | None = None
    silence_duration_ms: Annotated[int, Field(ge=0, le=10_000)] | None = None

    @property
    def parameters(self) -> VadParameters:
        """Return the rules; the padding is put on both sides of speech."""
        asked: dict[str, float] = {}
        if self.threshold is not None:
            asked["threshold"] = self.threshold
        if self.prefix_padding_ms is not None:
            asked["padding_s"] = self.prefix_padding_ms / 1000
        if self.silence_duration_ms is not None:
            asked["min_silence_s"] = self.silence_duration_ms / 1000
        return replace(WINDOW_VAD, **asked)


def _parsed(value: Any) -> Any:
    """Read an object that a form has as a text of JSON."""
    if not (isinstance(value, str) and value.lstrip().startswith("{")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError("must be auto, or an object of the type server_vad") from error


ChunkingStrategy = Annotated[Literal["auto"] | ServerVad, BeforeValidator(_parsed)]


def with_chunking(values: dict[str, Any]) -> dict[str, Any]:
    """Put together an object whose fields stand apart in a form, as ``name[field]``."""
    nested: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name, value in values.items():
        parts = name.removesuffix("]").split("[")
        is_part = parts[0] == CHUNKING and len(parts) == NESTED_PARTS and name.endswith("]")
        (nested if is_part else others)[parts[-1] if is_part else name] = value
    return {**others, CHUNKING: nested} if nested and CHUNKING not in others else others


def _few_keywords(keywords: tuple[str, ...]) -> tuple[str, ...]:
    if len(keywords) > MAX_KEYWORDS:
        raise ValueError(f"must hold at most {MAX_KEYWORDS} keywords")
    if sum(map(len, keywords)) > MAX_KEYWORD_CHARS:
        raise ValueError(f"must have at most {MAX_KEYWORD_CHARS} characters in all")
    return tuple(
        dict.fromkeys(" ".join(keyword.split()) for keyword in keywords if keyword.strip())
    )


def _codes(value: Any) -> Any:
    """Return the codes of languages, whatever they are called."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return value
    if len(value) > MAX_LANGUAGES:
        raise ValueError(f"must hold at most {MAX_LANGUAGES} languages")
    codes = [language_code(each) for each in value]
    if None in codes:
        raise ValueError("must name languages, such as en")
    return list(dict.fromkeys(codes))


Keywords = Annotated[tuple[str, ...], AfterValidator(_few_keywords), Field(alias="keywords[]")]
Candidates = Annotated[tuple[str, ...], BeforeValidator(_codes), Field(alias="languages[]")]
