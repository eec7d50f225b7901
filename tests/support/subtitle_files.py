"""A strict reader of subtitle files, and the rules that their cues keep."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

TIMES = re.compile(
    r"(\d\d+):([0-5]\d):([0-5]\d)([.,])(\d{3}) --> (\d\d+):([0-5]\d):([0-5]\d)\4(\d{3})"
)


@dataclass(frozen=True)
class Shown:
    """A cue as a player sees it."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


def read_srt(document: str) -> list[Shown]:
    """The cues of a SubRip file; whatever else there is fails."""
    if not document:
        return []
    cues = []
    for number, block in enumerate(_blocks(document), start=1):
        assert block[0] == str(number)
        cues.append(_cue(block[1], ",", block[2:]))
        assert not [line for line in block[2:] if "-->" in line]
    return cues


def read_vtt(document: str) -> list[Shown]:
    """The cues of a WebVTT file; whatever else there is fails."""
    header, *blocks = _blocks(document)
    assert header == ["WEBVTT"]
    for block in blocks:
        assert not [line for line in block[1:] if re.search(r"-->|[<>]|&(?!amp;|lt;|gt;)", line)]
    return [_cue(block[0], ".", [html.unescape(line) for line in block[1:]]) for block in blocks]


def _blocks(document: str) -> list[list[str]]:
    """Lines between blank ones. A file ends in one line break."""
    assert document.endswith("\n")
    assert "\r" not in document
    return [block.split("\n") for block in document[:-1].split("\n\n")]


def _cue(times: str, decimal: str, lines: Sequence[str]) -> Shown:
    found = TIMES.fullmatch(times)
    assert found is not None
    assert found[4] == decimal
    assert lines
    assert all(line.strip() for line in lines)
    start, end = (
        ((int(h) * 60 + int(m)) * 60 + int(s)) * 1000 + int(ms)
        for h, m, s, ms in (found.group(1, 2, 3, 5), found.group(6, 7, 8, 9))
    )
    return Shown(start, end, tuple(lines))


def columns(line: str) -> int:
    """How wide a line stands in a monospaced font."""
    marks = sum(unicodedata.category(char) in ("Mn", "Me", "Cf") for char in line)
    jamo = sum("\u1160" <= char <= "\u11ff" for char in line)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in line)
    return len(line) + wide - marks - jamo


def faults(cues: Sequence[Shown], most_lines: int = 2) -> list[str]:
    """What a viewer would complain of."""
    found = []
    earliest_ms = 0
    for cue in cues:
        found += [f"wide: {line}" for line in cue.lines if columns(line) > 42]
        if len(cue.lines) > most_lines:
            found.append(f"lines: {cue}")
        if not earliest_ms <= cue.start_ms < cue.end_ms:
            found.append(f"order: {cue}")
        if cue.end_ms - cue.start_ms > 7000:
            found.append(f"long: {cue}")
        earliest_ms = cue.end_ms
    return found


def ink(texts: Iterable[str]) -> str:
    """All that is not white space."""
    return "".join("".join(texts).split())


def text_of(cues: Iterable[Shown]) -> str:
    """The ink of all cues."""
    return ink(line for cue in cues for line in cue.lines)
