"""A strict reader of subtitle files, and the rules that their cues keep."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

TT = "{http://www.w3.org/ns/ttml}"
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


def read_ttml(document: str) -> list[Shown]:
    """The cues of a TTML file, by an XML parser."""
    cues = []
    for paragraph in ElementTree.fromstring(document).iter(f"{TT}p"):
        (span,) = paragraph
        lines = [span.text or "", *((line_break.tail or "") for line_break in span)]
        start_ms, end_ms = (_ms(paragraph.attrib[name]) for name in ("begin", "end"))
        cues.append(Shown(start_ms, end_ms, tuple(lines)))
    return cues


def read_ass(document: str) -> list[Shown]:
    """The cues of an ASS file, as libass shows their text."""
    _, events = document.split("[Events]\n")
    heads, *rows = events.splitlines()
    assert heads.startswith("Format: Layer, Start, End,")
    cues = []
    for row in filter(None, rows):
        _, start, end, *_, text = row.split(",", 9)
        assert not re.search(r"(?<!\\)\{", text)
        lines = text.replace("\\{", "{").split("\\N")
        shown = tuple(line.replace("\u2060", "") for line in lines)
        cues.append(Shown(_ms(f"0{start}0"), _ms(f"0{end}0"), shown))
    return cues


def _ms(time: str) -> int:
    hours, minutes, seconds = time.split(":")
    return round(((int(hours) * 60 + int(minutes)) * 60 + float(seconds)) * 1000)


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
