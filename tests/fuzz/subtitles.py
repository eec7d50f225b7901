"""Texts that would break out of a subtitle file: arrows, markup, commands, invisible characters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hypothesis import strategies as st

from models.audio.subtitles import Phrase, SubtitleFormat, document, lay_out, lay_out_pairs
from tests.support.subtitle_files import Shown, read_ass, read_srt, read_ttml, read_vtt

Phrases = list[tuple[Phrase, Phrase]]
READERS: Mapping[SubtitleFormat, Callable[[str], Sequence[Shown]]] = {
    "srt": read_srt,
    "vtt": read_vtt,
    "ttml": read_ttml,
    "ass": read_ass,
}
PIECES = [
    *("-->", "--", ">", "00:00:00,000 --> 00:00:09,000", "1\n", "\n\n", "\r\n", "WEBVTT", "NOTE "),
    *("{\\an8}", "{", "}", "\\", "\\N", "\\n", "\\h", "{\\p1}m 0 0", "Dialogue: 0,0:00:00.00,"),
    *("<b>", "</p>", "<![CDATA[", "]]>", "&lt;", "&#0;", "<?xml ?>", "<!ENTITY x SYSTEM 'file:'>"),
    *("\0", "\x1b[31m", "\x85", "\u2028", "\u202e", "\u2060", "\ufeff", "\uffff", "😀\u200d", ","),
    *("A sentence.", " and ", "これは文です。", "x" * 300),
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=9), max_size=12).map("".join)
LANGUAGES = st.sampled_from(["en", "ja", "ar", "und", ""])


@st.composite
def phrases(draw: st.DrawFn) -> Phrases:
    """Phrases in order, each with its translation."""
    found: Phrases = []
    at_s = 0.0
    for _ in range(draw(st.integers(1, 3))):
        lasts_s = draw(st.floats(0, 20))
        both = (Phrase(at_s, at_s + lasts_s, draw(TEXTS), None, draw(LANGUAGES)) for _ in range(2))
        found.append((next(both), next(both)))
        at_s += lasts_s
    return found


def write(pairs: Phrases) -> bool:
    """Whether each format, read strictly, has the cues that were written, and nothing else."""
    for cues in (lay_out([own for own, _ in pairs]), lay_out_pairs(pairs)):
        for name, read in READERS.items():
            shown = read(document(cues, name, pairs[0][0].language or "und"))
            assert len(shown) == len(cues), f"{name} has {len(shown)} cues of {len(cues)}"
    return True
