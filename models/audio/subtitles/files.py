"""Writes cues as files: SubRip, WebVTT (https://www.w3.org/TR/webvtt1/), TTML and ASS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from models.audio.subtitles.streams import file_of
from models.audio.subtitles.types import Cue

SubtitleFormat: TypeAlias = Literal["srt", "vtt", "ttml", "ass"]


def document(cues: Sequence[Cue], subtitle_format: SubtitleFormat, language: str) -> str:
    """Write a file of cues. ``language``: of their text, by BCP 47."""
    match subtitle_format:
        case "srt":
            return srt(cues)
        case "vtt":
            return vtt(cues)
        case _:
            return file_of(cues, subtitle_format, language)


def srt(cues: Sequence[Cue]) -> str:
    """Write a SubRip file. The format has no escapes, so players may read markup in a text."""
    blocks = [
        f"{number}\n{_times(cue, ',')}\n{_without_arrows(_text(cue))}\n"
        for number, cue in enumerate(cues, start=1)
    ]
    return "\n".join(blocks)


def vtt(cues: Sequence[Cue]) -> str:
    """Write a WebVTT file."""
    blocks = [f"{_times(cue, '.')}\n{_escaped(_text(cue))}\n" for cue in cues]
    return "\n".join(["WEBVTT\n", *blocks])


def _times(cue: Cue, decimal: str) -> str:
    start_ms = round(cue.start_s * 1000)
    end_ms = max(round(cue.end_s * 1000), start_ms + 1)  # players drop a cue without length
    return f"{_time(start_ms, decimal)} --> {_time(end_ms, decimal)}"


def _time(time_ms: int, decimal: str) -> str:
    hours, ms = divmod(time_ms, 3_600_000)
    minutes, ms = divmod(ms, 60_000)
    seconds, ms = divmod(ms, 1000)
    return f"{hours:02}:{minutes:02}:{seconds:02}{decimal}{ms:03}"


def _text(cue: Cue) -> str:
    """Return the cue's lines; a blank line would end the cue."""
    lines = (" ".join(line.split()) for line in cue.lines)
    return "\n".join(line for line in lines if line)


def _without_arrows(text: str) -> str:
    """Break up arrows: a line with one may pass for the times of a cue."""
    return text.replace("-->", "-- >")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
