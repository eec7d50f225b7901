"""Subtitles: times, order and what would break a player."""

from __future__ import annotations

from deployments.ingress.subtitles import Cue, srt, vtt


def test_hours_are_counted_on() -> None:
    assert "27:46:40,001 --> 27:46:41,500" in srt([Cue(100_000.001, 100_001.5, ("late",))])


def test_a_cue_that_ends_where_it_starts_lasts_a_moment() -> None:
    assert "00:00:01.000 --> 00:00:01.001" in vtt([Cue(1.0, 1.0, ("short",))])


def test_markup_is_text_in_webvtt() -> None:
    assert "a &lt;b&gt; &amp; c --&gt; d" in vtt([Cue(0, 1, ("a <b> & c --> d",))])


def test_a_line_break_does_not_end_the_cue() -> None:
    assert srt([Cue(0, 1, ("one\n\ntwo",))]).endswith("one two\n")


def test_cues_are_numbered_and_kept_apart() -> None:
    text = srt([Cue(0, 1, ("a",)), Cue(1, 2, ("b",))])
    assert [block.split("\n")[0] for block in text.split("\n\n")] == ["1", "2"]


def test_nothing_said_is_an_empty_file() -> None:
    assert (srt([]), vtt([])) == ("", "WEBVTT\n")
