"""Tells the language of each row of a batch; unclear speech is decoded in several languages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from models.asr.model import LoadedWhisper, Search
from models.asr.row import Row
from models.asr.spoken_languages import is_clear, to_try

if TYPE_CHECKING:
    import ctranslate2


def detect_languages(
    model: LoadedWhisper, search: Search, rows: list[Row], encoded: ctranslate2.StorageView
) -> None:
    """Set the language of rows that name none; unclear speech is tried in several.

    Args:
        rows: changed in place.
        encoded: the encoder's output for them, in their order.
    """
    unknown = [position for position, row in enumerate(rows) if row.language is None]
    if not unknown:
        return
    found = model.detect_languages(encoded, unknown)
    doubtful = []
    for position, languages in zip(unknown, found, strict=True):
        row = rows[position]
        row.languages = languages
        row.language, row.probability = languages[0]
        if not is_clear(languages):
            doubtful.append(position)
    if doubtful:
        _try_languages(model, search, rows, doubtful, encoded)


def _try_languages(
    model: LoadedWhisper,
    search: Search,
    rows: list[Row],
    doubtful: list[int],
    encoded: ctranslate2.StorageView,
) -> None:
    """Set the language, of those that a row may be in, in which its text is likeliest."""
    tried = [
        (position, language)
        for position in doubtful
        for language in to_try(
            rows[position].languages,
            known=rows[position].item.languages,
            allowed=rows[position].item.languages,
        )
    ]
    prompts = [
        model.whisper.get_prompt(
            model.tokenizer(language, "transcribe"), [], without_timestamps=True
        )
        for _, language in tried
    ]
    positions = [position for position, _ in tried]
    attempts = model.generate(encoded, positions, prompts, search, temperature=0.0)
    best: dict[int, float] = {}
    for (position, language), attempt in zip(tried, attempts, strict=True):
        if attempt.avg_logprob > best.get(position, -math.inf):
            best[position] = attempt.avg_logprob
            row = rows[position]
            row.language = language
            row.probability = dict(row.languages).get(language, 0.0)
