"""Subtitle files: times, order and what would break a player."""

from __future__ import annotations

from itertools import pairwise

import pytest

from models.audio.subtitles import Cue, document, srt, vtt
from tests.support.subtitle_files import read_ass, read_srt, read_ttml, read_vtt


@pytest.mark.parametrize(
    ("start_s", "written"),
    [
        pytest.param(0.0, "00:00:00,000", id="nought"),
        pytest.param(59.9996, "00:01:00,000", id="rounded up to a minute"),
        pytest.param(3599.9995, "01:00:00,000", id="rounded up to an hour"),
        pytest.param(3_661.001, "01:01:01,001", id="over an hour"),
        pytest.param(36_000.5, "10:00:00,500", id="ten hours"),
        pytest.param(100_000.001, "27:46:40,001", id="over a day"),
        pytest.param(360_000.0, "100:00:00,000", id="a hundred hours"),
    ],
)
def test_times_are_counted_on(start_s: float, written: str) -> None:
    assert f"{written} --> " in srt([Cue(start_s, start_s + 2, ("late",))])


@pytest.mark.parametrize("start_s", [0.0, 0.0005, 0.0015, 1.0, 1.0004, 7199.9995])
@pytest.mark.parametrize("lasts_s", [0.0, 0.0004, 0.0005, 0.001])
def test_a_cue_lasts_a_moment_at_least(start_s: float, lasts_s: float) -> None:
    (cue,) = read_vtt(vtt([Cue(start_s, start_s + lasts_s, ("short",))]))
    assert cue.end_ms > cue.start_ms


TEXTS = [
    pytest.param("a <b> & c", id="tag"),
    pytest.param("&lt; is not <", id="escaped already"),
    pytest.param("<v Anna>Hi</v> <00:00:01.000>", id="webvtt's own tags"),
    pytest.param("a --> b", id="arrow"),
    pytest.param("-->", id="arrow alone"),
    pytest.param("---->>", id="long arrow"),
    pytest.param("00:00:01,000 --> 00:00:02,000", id="subrip's times"),
    pytest.param("00:01.000 --> 00:02.000 align:start", id="webvtt's times"),
    pytest.param("42", id="number"),
    pytest.param("WEBVTT", id="header"),
    pytest.param("NOTE that", id="comment"),
    pytest.param("STYLE", id="style"),
    pytest.param("مرحبا - hello", id="right to left"),
    pytest.param("{\\\\b1}not bold{x}", id="ass's own commands"),
    pytest.param("C:\\\\Name\\\\new", id="backslashes"),
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    ("write", "read"),
    [
        pytest.param(srt, read_srt, id="srt"),
        pytest.param(vtt, read_vtt, id="vtt"),
        pytest.param(lambda cues: document(cues, "ttml", "pt"), read_ttml, id="ttml"),
        pytest.param(lambda cues: document(cues, "ass", "pt"), read_ass, id="ass"),
    ],
)
def test_no_text_breaks_a_parser(write, read, text: str) -> None:  # type: ignore[no-untyped-def]
    cues = read(write([Cue(0, 1, (text,)), Cue(1, 2, ("7", text))]))
    lines = [[line.replace("-- >", "-->") for line in cue.lines] for cue in cues]
    assert lines == [[text], ["7", text]]


@pytest.mark.parametrize("space", ["\n\n", "\r\n\r\n", "\u2028", "\v", "\f", "\x85", " \n \n "])
def test_white_space_does_not_end_a_cue(space: str) -> None:
    (cue,) = read_srt(srt([Cue(0, 1, (f"one{space}two",))]))
    assert cue.lines == ("one two",)


def test_an_empty_line_is_left_out() -> None:
    (cue,) = read_srt(srt([Cue(0, 1, ("one", " ", "two"))]))
    assert cue.lines == ("one", "two")


def test_cues_are_numbered_and_kept_apart() -> None:
    text = srt([Cue(0, 1, ("a",)), Cue(1, 2, ("b",))])
    assert [block.split("\n")[0] for block in text.split("\n\n")] == ["1", "2"]


def test_nothing_said_is_an_empty_file() -> None:
    assert (srt([]), vtt([])) == ("", "WEBVTT\n")


@pytest.mark.parametrize(
    ("subtitle_format", "read"),
    [pytest.param("ttml", read_ttml, id="ttml"), pytest.param("ass", read_ass, id="ass")],
)
def test_cues_that_meet_do_not_overlap(subtitle_format, read) -> None:  # type: ignore[no-untyped-def]
    at_s = [0.0, 1.004, 2.346, 3.005, 3.006]
    cues = [Cue(start_s, end_s, ("x",)) for start_s, end_s in pairwise(at_s)]
    shown = read(document(cues, subtitle_format, "pt"))
    ends = [cue.end_ms for cue in shown[:-1]]
    assert ends == [cue.start_ms for cue in shown[1:]]
    assert ends == pytest.approx([1004, 2346, 3005], abs=5)


def test_a_ttml_file_names_its_language_and_holds_no_letters_that_xml_lacks() -> None:
    text = document([Cue(0, 1, ("a\x08b",))], "ttml", "pt")
    assert 'xml:lang="pt"' in text
    assert read_ttml(text)[0].lines == ("ab",)


@pytest.mark.parametrize("subtitle_format", ["ttml", "ass"])
def test_a_file_without_cues_is_one(subtitle_format) -> None:  # type: ignore[no-untyped-def]
    read = {"ttml": read_ttml, "ass": read_ass}[subtitle_format]
    assert read(document([], subtitle_format, "pt")) == []
