"""Sentences are cut where a reader would, and join to exactly the text they came from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.sentences import MAX_SENTENCE_CHARS, split

# Letters, marks and spaces that decide where sentences end, and every other character.
CHARACTERS = st.one_of(
    st.sampled_from(list("aB1é ") + list("\t\n\r\x85\u2028\xa0\u3000.?!…。，,;:\"'()«»-👍\u0301")),
    st.characters(),
    st.characters(categories=["Cs"]),
)


@given(st.text(CHARACTERS), st.sampled_from(["en", "pt", "zh", "xx", ""]), st.integers(1, 20))
def test_join_of_split_is_the_text(text: str, language: str, max_chars: int) -> None:
    pieces = split(text, language, max_chars)
    assert pieces.join(pieces.sentences) == text


@given(st.text(CHARACTERS), st.integers(1, 20))
def test_sentences_are_short_stripped_and_have_words(text: str, max_chars: int) -> None:
    for sentence in split(text, "en", max_chars).sentences:
        assert 0 < len(sentence) <= max_chars
        assert sentence == sentence.strip()
        assert any(map(str.isalnum, sentence))


@pytest.mark.parametrize(
    ("text", "language", "sentences"),
    [
        pytest.param("", "en", [], id="empty"),
        pytest.param(" \t\r\n ", "en", [], id="spaces"),
        pytest.param("Hello there", "en", ["Hello there"], id="no-stop"),
        pytest.param("  One.  Two?\tThree! ", "en", ["One.", "Two?", "Three!"], id="spacing"),
        pytest.param("One.\n\n\nTwo.\n", "en", ["One.", "Two."], id="paragraphs"),
        pytest.param("- milk\r\n- bread", "en", ["- milk", "- bread"], id="list-with-crlf"),
        pytest.param("Mr. Smith left. He ran.", "en", ["Mr. Smith left.", "He ran."], id="title"),
        pytest.param("O Sr. Silva saiu. Voltou.", "pt", ["O Sr. Silva saiu.", "Voltou."], id="pt"),
        pytest.param("It is 3.5 km. Go!", "en", ["It is 3.5 km.", "Go!"], id="decimal"),
        pytest.param("你好。再见。", "zh", ["你好。", "再见。"], id="chinese"),
        pytest.param("Good.\n***\n👍\nBye.", "en", ["Good.", "Bye."], id="ornaments-stay"),
        pytest.param("half \ud800 pair. Next", "en", ["half \ud800 pair.", "Next"], id="surrogate"),
    ],
)
def test_split(text: str, language: str, sentences: list[str]) -> None:
    assert list(split(text, language).sentences) == sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        pytest.param("one two, three four five", ["one two,", "three four", "five"], id="clause"),
        pytest.param("a, bcdefgh ijk lmn", ["a, bcdefgh", "ijk lmn"], id="no-tiny-clause"),
        pytest.param("one two three four", ["one two", "three four"], id="space"),
        pytest.param("abcdefghijklmno", ["abcdefghij", "klmno"], id="hard"),
        pytest.param("abcdefghi, klm", ["abcdefghi,", "klm"], id="punctuation-ends-at-the-limit"),
        pytest.param("abcdefghij klm", ["abcdefghij", "klm"], id="space-right-behind-the-limit"),
        pytest.param("abcdefghij", ["abcdefghij"], id="just-fits"),
        pytest.param(
            "一二三四五，六七八九十一二", ["一二三四五，", "六七八九十一二"], id="chinese"
        ),
    ],
)
def test_a_long_sentence_is_cut(text: str, sentences: list[str]) -> None:
    assert list(split(text, "en", max_chars=10).sentences) == sentences


def test_translations_stand_where_the_sentences_stood() -> None:
    pieces = split("  One.\tTwo!\r\n\r\n* Three", "en")
    assert pieces.join(["Um.", "Dois!", "* Três"]) == "  Um.\tDois!\r\n\r\n* Três"


def test_an_empty_translation_keeps_its_gaps() -> None:
    assert split("One. Two. Three.", "en").join(["Um.", "", "Três."]) == "Um.  Três."


@pytest.mark.parametrize(
    ("text", "source", "target", "translations", "joined"),
    [
        pytest.param("你好。再见。", "zh", "en", ["Hi.", "Bye."], "Hi. Bye.", id="space-added"),
        pytest.param("Hi. Bye.", "en", "ja", ["やあ。", "では。"], "やあ。では。", id="removed"),
        pytest.param(
            "Hi.\nBye. ", "en", "zh", ["你好。", "再见。"], "你好。\n再见。 ", id="line-kept"
        ),
        pytest.param("Hi. Bye.", "en", "pt", ["Oi.", "Tchau."], "Oi. Tchau.", id="both-spaced"),
    ],
)
def test_gaps_fit_the_language_of_the_translations(
    text: str, source: str, target: str, translations: list[str], joined: str
) -> None:
    assert split(text, source).join(translations, target) == joined


@pytest.mark.parametrize("count", [1, 3])
def test_join_refuses_another_number_of_sentences(count: int) -> None:
    with pytest.raises(ValueError, match="zip"):
        split("One. Two.", "en").join(["x"] * count)


def test_max_chars_must_be_positive() -> None:
    with pytest.raises(ValueError, match="max_chars is 0"):
        split("text", "en", max_chars=0)


# A quadratic algorithm would need minutes for each: the timeout is the assertion.
@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "pattern",
    [
        "a",
        " ",
        ".",
        ". ",
        "a ",
        "a. ",
        "A b. ",
        "\n",
        "\r\n",
        "a\n",
        '"',
        "(",
        ", ",
        "。",
        "👍",
        "Mr. ",
    ],
    ids=repr,
)
def test_long_input_takes_linear_time(pattern: str) -> None:
    text = (pattern * 200_000)[:200_000]
    pieces = split(text, "en")
    assert pieces.join(pieces.sentences) == text
    assert max(map(len, pieces.sentences), default=0) <= MAX_SENTENCE_CHARS
