"""What viewers of each language can read, and doubts about what passes too quickly."""

from __future__ import annotations

import pytest

from models.audio.subtitles import Cue, Phrase, doubts, lay_out
from models.audio.subtitles.limits import limits_of
from tests.support.subtitle_files import columns

RUSSIAN = "Я и не сомневался, что ты со мной согласишься, а он всё равно ушёл домой. " * 3
JAPANESE = "今日はとても良い天気ですから、公園まで歩いて行きましょう。" * 3


@pytest.mark.parametrize(
    ("language", "text", "width"),
    [
        pytest.param("ru", RUSSIAN, 39, id="russian"),
        pytest.param("ja", JAPANESE, 26, id="japanese"),
        pytest.param(
            "zh-Hant", "今天天气很好，我们去公园散步吧。" * 4, 32, id="chinese-of-a-script"
        ),
        pytest.param("pt", "Eu não duvidava de que você concordaria comigo. " * 4, 42, id="usual"),
    ],
)
def test_lines_are_as_wide_as_a_language_has_them(language: str, text: str, width: int) -> None:
    cues = lay_out([Phrase(0, 20, text, None, language)])
    widest = max(columns(line) for cue in cues for line in cue.lines)
    assert widest <= width


@pytest.mark.parametrize(
    ("language", "a_s"),
    [
        pytest.param("en", 20, id="english"),
        pytest.param("pt-BR", 17, id="usual"),
        pytest.param("ja", 8, id="four-wide-ones"),
    ],
)
def test_a_cue_stays_until_its_language_is_read(language: str, a_s: int) -> None:
    assert limits_of(language).reading_width_a_s == a_s
    (cue,) = lay_out([Phrase(1, 1.2, "x" * 24, None, language)])
    assert cue.lasts_s == pytest.approx(max(1.0, 24 / a_s), abs=0.002)


def test_two_languages_have_lines_of_their_own() -> None:
    phrases = [Phrase(0, 8, JAPANESE, None, "ja"), Phrase(9, 14, "word " * 30, None, "en")]
    cues = lay_out(phrases)
    japanese = [cue for cue in cues if cue.start_s < 8.5]
    assert max(columns(line) for cue in japanese for line in cue.lines) <= 26
    assert max(columns(line) for cue in cues for line in cue.lines) > 35


def test_text_that_is_said_too_fast_is_shown_and_told() -> None:
    text = "This is more than anybody can read in a second of time, or in two of them."
    cues = lay_out([Phrase(1, 2, text, None, "en"), Phrase(2, 4, "And on it goes.", None, "en")])
    assert " ".join(line for cue in cues for line in cue.lines) == f"{text} And on it goes."
    (doubt,) = [each for each in doubts(cues) if each.code == "subtitle_too_fast"]
    assert "at 1.0 s" in doubt.message


def test_cues_that_pass_at_once_are_told() -> None:
    (doubt,) = doubts([Cue(0.0, 0.5, ("No.",), 0.2), Cue(1.0, 3.0, ("Yes.",), 0.2)])
    assert (doubt.code, doubt.message[:6]) == ("subtitle_too_short", "1 of 2")


def test_there_is_no_doubt_of_cues_that_can_be_read() -> None:
    assert doubts(lay_out([Phrase(0, 3, "There is time.", None, "en")])) == []


def test_a_narrower_language_behind_a_wider_one_has_its_own_width() -> None:
    name = "A" * 24
    phrases = [Phrase(0, 3, "We said:", None, "en"), Phrase(3, 12, f"東京 {name} です", None, "ja")]
    cues = lay_out(phrases)
    assert [cue.lines for cue in cues[:1]] == [("We said:",)]
    assert max(columns(line) for cue in cues[1:] for line in cue.lines) <= 26
