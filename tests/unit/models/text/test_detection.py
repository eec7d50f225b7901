"""The languages of texts: what is read of a text, and which language is translated from."""

from __future__ import annotations

import pytest

from models.text.detection import Language, LanguageDetector, Source, letters_of, source_among


@pytest.fixture(scope="module")
def detector() -> LanguageDetector:
    return LanguageDetector()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        pytest.param("Where is the station, please?", "en", id="english"),
        pytest.param("Onde fica a estação de comboios?", "pt", id="portuguese"),
        pytest.param("WHERE IS THE STATION, PLEASE?", "en", id="capitals"),
        pytest.param("Где находится вокзал?", "ru", id="cyrillic"),
        pytest.param("駅はどこですか。", "ja", id="japanese"),
        pytest.param("नेपाली भाषा मलाई मन पर्छ", "ne", id="nepali"),
        pytest.param("Onde fica\na estação\nde comboios?", "pt", id="lines"),
        pytest.param("Onde fica a estação? https://example.com/where/is/it", "pt", id="url"),
        pytest.param("Onde fica a estação? " + "1234 " * 500, "pt", id="numbers-behind"),
    ],
)
def test_a_sentence_is_told(detector: LanguageDetector, text: str, language: str) -> None:
    assert detector.languages(text)[0].code == language


@pytest.mark.parametrize(
    "text", ["", " \n", "12 345,67", "?!…", "🙂👍", "❤️ 1️⃣", "https://example.com/a"]
)
def test_without_letters_there_is_no_language(detector: LanguageDetector, text: str) -> None:
    assert detector.languages(text) == ()


def test_probabilities_add_up_to_one(detector: LanguageDetector) -> None:
    assert sum(each.probability for each in detector.languages("Bom dia")) == pytest.approx(1)


def test_each_language_stands_once(detector: LanguageDetector) -> None:
    codes = [each.code for each in detector.languages("God morgen")]
    assert len(codes) == len(set(codes))


def test_a_long_text_is_read_in_part() -> None:
    assert len(letters_of("palavra " * 10_000)) <= 1_000


# ---- which language is translated from ----------------------------------------------------


def found(**probabilities: float) -> list[Language]:
    ordered = sorted(probabilities.items(), key=lambda each: -each[1])
    return [Language(code, probability) for code, probability in ordered]


def chosen(languages: list[Language], target: str = "en") -> Source:
    source = source_among(languages, ("en", "pt"), target)
    assert source is not None
    return source


def test_the_likeliest_candidate_is_chosen() -> None:
    source = chosen(found(pt=0.9, en=0.02, es=0.08))
    assert (source.language.code, source.maybe, source.is_foreign) == ("pt", None, False)


def test_a_language_that_is_not_translated_counts_little_where_it_is_not_sure() -> None:
    source = chosen(found(gl=0.45, pt=0.4, es=0.15))
    assert (source.language.code, source.maybe) == ("pt", None)


def test_a_likely_language_that_is_not_translated_is_told() -> None:
    source = chosen(found(es=0.7, pt=0.3))
    assert (source.language.code, source.maybe) == ("pt", "es")


def test_a_sure_language_that_is_not_translated_is_foreign() -> None:
    source = chosen(found(ja=0.95, pt=0.05))
    assert (source.language.code, source.is_foreign) == ("ja", True)


def test_the_target_is_chosen_only_where_it_is_clear() -> None:
    assert chosen(found(en=0.6, pt=0.4)).language.code == "pt"
    assert chosen(found(en=0.99, pt=0.01)).language.code == "en"


def test_two_likely_candidates_are_unsure() -> None:
    languages = found(en=0.5, pt=0.4)
    source = source_among(languages, ("en", "pt", "fr"), "fr")
    assert source is not None
    assert (source.language.code, source.maybe) == ("en", "pt")


def test_no_language_is_no_source() -> None:
    assert source_among([], ("en", "pt"), "en") is None
