"""Subtitles as answers: files of their own media types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from starlette.responses import Response

from deployments.graph.sentences import Sentence
from models.audio.subtitles import (
    Cue,
    Phrase,
    SubtitleFormat,
    document,
    doubts,
    lay_out,
    lay_out_pairs,
)
from models.types import AnswerWarning

SUBTITLES: tuple[SubtitleFormat, ...] = get_args(SubtitleFormat)
MEDIA_TYPES: Mapping[SubtitleFormat, str] = {
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "ttml": "application/ttml+xml",
    "ass": "text/x-ssa",
}


def subtitle_response(
    subtitle_format: SubtitleFormat,
    cues: list[Cue],
    language: str,
    warnings: list[AnswerWarning],
) -> Response:
    """Answer with a file of subtitles; the warnings get those of what passes too quickly."""
    warnings.extend(doubts(cues))
    text = document(cues, subtitle_format, language)
    return Response(text, media_type=MEDIA_TYPES[subtitle_format])


def cues_of(sentences: Sequence[Sentence], language: str, *, bilingual: bool) -> list[Cue]:
    """Lay out the translations of sentences, where they are heard, in ``language``.

    With ``bilingual`` what was said stands above them.
    """
    pairs = []
    for row in sentences:
        start_s, end_s = row.start_s, row.end_s
        if row.place is not None:
            start_s, end_s = row.place.start_s, row.place.end_s
        said = Phrase(start_s, end_s, row.text, None, row.language)
        pairs.append((said, Phrase(start_s, end_s, row.translation, None, language)))
    return lay_out_pairs(pairs) if bilingual else lay_out([shown for _, shown in pairs])
