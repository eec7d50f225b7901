"""Subtitles that a viewer can read: timed text laid out as cues, and written as files."""

from models.audio.subtitles.files import SubtitleFormat, document, srt, vtt
from models.audio.subtitles.layout import doubts, lay_out, lay_out_pairs
from models.audio.subtitles.types import Cue, Phrase

__all__ = [
    "Cue",
    "Phrase",
    "SubtitleFormat",
    "document",
    "doubts",
    "lay_out",
    "lay_out_pairs",
    "srt",
    "vtt",
]
