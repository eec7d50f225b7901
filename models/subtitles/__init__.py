"""Subtitles that a viewer can read: timed text laid out as cues, and written as files."""

from models.subtitles.files import srt, vtt
from models.subtitles.layout import lay_out, lay_out_pairs
from models.subtitles.types import Cue, Phrase

__all__ = ["Cue", "Phrase", "lay_out", "lay_out_pairs", "srt", "vtt"]
