"""SubRip (.srt) and WebVTT (https://www.w3.org/TR/webvtt1/) from timed text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MIN_CUE_S = 0.001  # players drop a cue that ends where it starts


@dataclass(frozen=True, slots=True)
class Cue:
    """``lines`` from ``start_s`` to ``end_s``."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]


def srt(cues: Sequence[Cue]) -> str:
    blocks = [
        f"{number}\n{_times(cue, ',')}\n{_text(cue)}\n" for number, cue in enumerate(cues, start=1)
    ]
    return "\n".join(blocks)


def vtt(cues: Sequence[Cue]) -> str:
    blocks = [f"{_times(cue, '.')}\n{_escaped(_text(cue))}\n" for cue in cues]
    return "\n".join(["WEBVTT\n", *blocks])


def _times(cue: Cue, decimal: str) -> str:
    end_s = max(cue.end_s, cue.start_s + MIN_CUE_S)
    return f"{_time(cue.start_s, decimal)} --> {_time(end_s, decimal)}"


def _time(time_s: float, decimal: str) -> str:
    ms = round(time_s * 1000)
    hours, ms = divmod(ms, 3_600_000)
    minutes, ms = divmod(ms, 60_000)
    seconds, ms = divmod(ms, 1000)
    return f"{hours:02}:{minutes:02}:{seconds:02}{decimal}{ms:03}"


def _text(cue: Cue) -> str:
    """The cue's lines; a blank line would end the cue."""
    lines = (" ".join(line.split()) for line in cue.lines)
    return "\n".join(line for line in lines if line)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
