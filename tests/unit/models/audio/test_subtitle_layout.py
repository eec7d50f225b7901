"""What a viewer reads: where cues and lines are cut, and how long they stand."""

from __future__ import annotations

import pytest

from models.audio.subtitles import Cue, Phrase, lay_out
from models.types import Word

LONG = (
    "I am about to attempt a connection to a demonstration server, which may take a while. "
    "Please wait a moment while I make the connection."
)


def said(text: str, *, start_s: float = 0.0, pace_s: float = 0.4, **pauses_s: float) -> Phrase:
    """A phrase whose words take ``pace_s`` each; ``pauses_s``: word -> silence before it."""
    words, time_s = [], start_s
    for word in text.split():
        time_s += pauses_s.get(word.strip(".,"), 0.0)
        words.append(Word(time_s, time_s + pace_s, f" {word}", 1.0))
        time_s += pace_s
    return Phrase(start_s, time_s, text, tuple(words), "en")


def shown(cues: list[Cue]) -> list[str]:
    return [" ".join(cue.lines) for cue in cues]


def lines(text: str, language: str = "en") -> tuple[str, ...]:
    (cue,) = lay_out([Phrase(0, 5, text, None, language)])
    return cue.lines


# ---- lines -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        pytest.param("en", "Please try again later.", ("Please try again later.",), id="short"),
        pytest.param(
            "en",
            "If you want to go home, then you should go now.",
            ("If you want to go home,", "then you should go now."),
            id="at a clause",
        ),
        pytest.param(
            "en",
            "We were not able to find it because nobody was there.",
            ("We were not able to find it", "because nobody was there."),
            id="before a conjunction",
        ),
        pytest.param(
            "en",
            "They carried all of the boxes into the old house.",
            ("They carried all of the boxes", "into the old house."),
            id="not behind an article",
        ),
        pytest.param(
            "en",
            "To decrease your speaking volume to other participants.",
            ("To decrease your speaking volume", "to other participants."),
            id="before a preposition",
        ),
        pytest.param(
            "en",
            "Yesterday I met somebody called Mr. Montgomery.",
            ("Yesterday I met somebody", "called Mr. Montgomery."),
            id="a title stays with its name",
        ),
        pytest.param(
            "en",
            "It is a good thing. You will certainly like it here.",
            ("It is a good thing.", "You will certainly like it here."),
            id="at a sentence",
        ),
        pytest.param(
            "fr",
            "Vous êtes bien sûr de vouloir le faire ? Oui, bien sûr !",
            ("Vous êtes bien sûr de vouloir le faire ?", "Oui, bien sûr !"),
            id="french punctuation stays with its word",
        ),
        pytest.param(
            "ru",
            "Он сказал, что не придёт — и это была правда.",
            ("Он сказал, что не придёт —", "и это была правда."),
            id="behind a dash",
        ),
        pytest.param(
            "zh",
            "那里的人非常多，但是景色真的很美，我很喜欢。",
            ("那里的人非常多，", "但是景色真的很美，我很喜欢。"),
            id="chinese at a comma",
        ),
        pytest.param(
            "ja",
            "とても面白かったですが、人が多くて少し疲れました。",
            ("とても面白かったですが、", "人が多くて少し疲れました。"),
            id="japanese at a comma",
        ),
        pytest.param(
            "th",
            "หลังจากนั้นเราก็ไปดูหนังที่ห้าง แล้วกลับบ้านตอนเย็นกับเพื่อน",
            ("หลังจากนั้นเราก็ไปดูหนังที่ห้าง", "แล้วกลับบ้านตอนเย็นกับเพื่อน"),
            id="thai at its space",
        ),
    ],
)
def test_a_line_breaks_where_a_reader_expects_it(
    language: str, text: str, expected: tuple[str, ...]
) -> None:
    assert lines(text, language) == expected


@pytest.mark.parametrize("words", [5, 6, 7, 8])
def test_no_line_holds_a_word_alone(words: int) -> None:
    text = " ".join(["abcdefgh"] * words)
    assert min(len(line.split()) for line in lines(text)) > 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("漢" * 21, 1, id="21 wide fit"),
        pytest.param("漢" * 22, 2, id="22 wide do not"),
        pytest.param("e\u0301" * 42, 1, id="accents have no width"),
        pytest.param("e\u0301" * 43, 2, id="43 letters do not fit"),
        pytest.param("नमस्ते " * 8, 1, id="signs over letters have no width"),
        pytest.param("\u200fשלום\u200e " * 8, 1, id="marks of direction have no width"),
    ],
)
def test_width_is_what_is_seen(text: str, expected: int) -> None:
    assert len(lines(text)) == expected


@pytest.mark.parametrize("text", ["あ、" * 15, "そうだっ" * 8, "（笑）" * 12, "ラーメン。" * 6])
def test_no_line_begins_with_what_belongs_to_the_last(text: str) -> None:
    for cue in lay_out([Phrase(0, 20, text, None, "ja")]):
        assert not [line for line in cue.lines if line[0] in "、。っー）" or line[-1] == "（"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x" * 100, id="a word"),
        pytest.param("https://example.org/" + "path/" * 30, id="an address"),
        pytest.param("e\u0301" * 120, id="accents"),
        pytest.param("👩\u200d👩\u200d👧" * 20, id="families"),
        pytest.param("👍🏽" * 50, id="skin tones"),
        pytest.param("한국어" * 30, id="hangul"),
    ],
)
def test_a_word_that_no_line_holds_is_cut_between_what_is_seen(text: str) -> None:
    found = [line for cue in lay_out([Phrase(0, 20, text, None, "en")]) for line in cue.lines]
    assert "".join(found) == text
    assert not [line for line in found if line[0] in "\u0301\u200d🏽"]


def test_an_address_is_cut_behind_its_slashes() -> None:
    text = "https://example.org/" + "path/" * 12
    assert all(line.endswith("/") for line in lines(text))


# ---- cues ------------------------------------------------------------------------------


def test_a_long_text_is_cut_at_its_sentences() -> None:
    cues = shown(lay_out([Phrase(0, 12, LONG, None, "en")]))
    assert [cue for cue in cues if cue.endswith(".")] == [cues[-2], cues[-1]]


def test_a_text_that_fits_is_one_cue() -> None:
    assert shown(lay_out([said("Yes. I think that it is so. Good.")])) == [
        "Yes. I think that it is so. Good."
    ]


@pytest.mark.parametrize("words", range(16, 60, 3))
def test_no_cue_holds_a_word_alone(words: int) -> None:
    text = " ".join(["walking"] * words)
    assert min(len(cue.split()) for cue in shown(lay_out([said(text)]))) > 2


def test_a_cut_is_where_the_words_say() -> None:
    cues = lay_out([said("One two three four, five six seven.", pace_s=1.5)])
    assert shown(cues) == ["One two three four,", "five six seven."]
    assert cues[1].start_s == 6.0


def test_without_words_a_cut_is_where_its_characters_stand() -> None:
    cues = lay_out([Phrase(10, 20, "aaaa bbbb cccc dddd, eeee ffff gggg hhhh.", None, "en")])
    assert cues[1].start_s == pytest.approx(15.0, abs=0.2)


@pytest.mark.parametrize("pause_s", [2.1, 3.0, 8.0, 60.0])
def test_no_text_stands_in_a_long_silence(pause_s: float) -> None:
    first, second = lay_out([said("Please wait here for me now", here=pause_s)])
    assert first.end_s <= 0.8 + 1.0
    assert second.start_s == pytest.approx(0.8 + pause_s)


@pytest.mark.parametrize("pause_s", [0.5, 1.0, 1.9])
def test_a_short_pause_is_no_cut(pause_s: float) -> None:
    assert len(lay_out([said("Please wait here for me now", here=pause_s)])) == 1


def test_a_pause_is_a_better_place_than_another_space() -> None:
    text = "walking talking running jumping sitting lying sleeping eating drinking reading riding"
    cues = shown(lay_out([said(text + " coming going leaving", lying=1.0)]))
    assert cues[1].startswith("lying")


def test_a_phrase_that_nobody_can_read_alone_joins_the_next() -> None:
    phrases = [said("No.", pace_s=0.3), said("I never said that.", start_s=0.35)]
    assert shown(lay_out(phrases)) == ["No. I never said that."]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Phrase(5, 6, "Nie.", None, "de"), id="another language"),
        pytest.param(Phrase(9, 12, "I never said that.", None, "en"), id="after a silence"),
        pytest.param(Phrase(6, 9, "I never said that.", None, "en"), id="long enough"),
    ],
)
def test_phrases_are_cues_of_their_own(other: Phrase) -> None:
    phrase = Phrase(4.8, 5, "No.", None, "en") if other.language == "de" else said("No.", start_s=5)
    assert shown(lay_out([phrase, other])) == ["No.", other.text]


# ---- times -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lasts_s"),
    [
        pytest.param("No.", 1.0, id="a word stands a second"),
        pytest.param("x" * 34, 2.0, id="17 columns a second"),
        pytest.param("漢" * 17, 2.0, id="wide ones count two"),
    ],
)
def test_a_cue_stays_until_it_is_read(text: str, lasts_s: float) -> None:
    (cue,) = lay_out([Phrase(1, 1.2, text, None, "pt")])
    assert cue.end_s - cue.start_s == pytest.approx(lasts_s)


def test_a_cue_makes_way_for_the_next() -> None:
    phrases = [said("These are words to be read.", pace_s=0.2), said("And more.", start_s=1.3)]
    first, second = lay_out(phrases)
    assert (first.end_s, second.start_s) == (1.216, 1.3)


@pytest.mark.parametrize(
    ("text", "end_s"),
    [
        pytest.param("Hello.", 30, id="one word"),
        pytest.param("Hello there.", 600, id="two words"),
        pytest.param("漢", 8, id="a character"),
    ],
)
def test_a_text_that_is_much_too_short_is_one_cue(text: str, end_s: float) -> None:
    (cue,) = lay_out([Phrase(0, end_s, text, None, "en")])
    assert cue.end_s == 7.0


@pytest.mark.parametrize(
    "phrases",
    [
        pytest.param([(0, 5), (3, 8)], id="overlap"),
        pytest.param([(0, 5), (0, 5)], id="at once"),
        pytest.param([(5, 6), (1, 2)], id="backwards"),
        pytest.param([(5, 1), (5, 5)], id="without length"),
        pytest.param([(-2, -1), (-1, 1)], id="before the start"),
        pytest.param([(1.0004, 1.0005), (1.0005, 1.0006)], id="in one millisecond"),
        pytest.param([(0, 0)] * 50, id="many at once"),
    ],
)
def test_cues_follow_one_another(phrases: list[tuple[float, float]]) -> None:
    cues = lay_out([Phrase(*times, "They all say the same.", None, "en") for times in phrases])
    edges = [edge for cue in cues for edge in (cue.start_s, cue.end_s)]
    assert edges == sorted(edges)
    assert all(cue.start_s < cue.end_s for cue in cues)


# ---- words that are not those of the text ----------------------------------------------

TEXT = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"


@pytest.mark.parametrize(
    "heard",
    [
        pytest.param(TEXT, id="the same"),
        pytest.param(TEXT.replace("two ", ""), id="one lacks"),
        pytest.param(TEXT.replace("two", "too"), id="one differs"),
        pytest.param(TEXT.replace("one", "uh one"), id="one more"),
        pytest.param(TEXT.upper().lower() + ".", id="more punctuation"),
    ],
)
def test_a_cut_follows_the_words_that_are_known(heard: str) -> None:
    times_s = {word: number * 1.0 for number, word in enumerate(TEXT.split())}
    words = [
        Word(times_s.get(word.strip("."), 0.4), times_s.get(word.strip("."), 0.4) + 0.8, word, 1.0)
        for word in heard.split()
    ]
    cues = lay_out([Phrase(0, 15, TEXT, tuple(words), "en")])
    starts_s = [times_s[cue.lines[0].split()[0]] for cue in cues]
    assert [cue.start_s for cue in cues] == pytest.approx(starts_s)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param((), id="none"),
        pytest.param((Word(0, 1, "", 1.0),), id="an empty one"),
        pytest.param((Word(0, 9, " nothing of it", 1.0),), id="others"),
        pytest.param((Word(8, 9, " fifteen", 1.0), Word(0, 1, " one", 1.0)), id="out of order"),
        pytest.param((Word(-50, -40, " one", 1.0), Word(90, 99, " ten", 1.0)), id="elsewhere"),
    ],
)
def test_words_that_say_nothing_lose_no_text(words: tuple[Word, ...]) -> None:
    cues = lay_out([Phrase(0, 9, TEXT, words, "en")])
    assert " ".join(shown(cues)) == TEXT
    assert max(cue.end_s for cue in cues) <= 10


def test_phrases_without_text_are_no_cues() -> None:
    assert lay_out([Phrase(0, 1, "", None, "en"), Phrase(1, 2, " \u00a0\n", None, "en")]) == []
