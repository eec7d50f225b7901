"""Numbers of a text in its translation: by value, however a language writes them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from models.text import characters, short
from models.text.doubts import loses_negation
from models.text.numbers import localised, missing, numbers


@pytest.mark.parametrize(
    ("text", "language", "value"),
    [
        pytest.param("1,234.56", "en", "1234.56", id="both-en"),
        pytest.param("1.234,56", "pt", "1234.56", id="both-pt"),
        pytest.param("1.234,56", "en", "1234.56", id="both-of-the-other"),
        pytest.param("1,234", "en", "1234", id="thousands-en"),
        pytest.param("1,234", "pt", "1.234", id="decimals-pt"),
        pytest.param("3.14", "pt", "3.14", id="two-decimals-of-the-other"),
        pytest.param("0.750", "pt", "0.75", id="no-thousands-of-nothing"),
        pytest.param("1.250.000", "pt", "1250000", id="millions"),
        pytest.param("12\u00a0500", "fr", "12500", id="spaces"),
        pytest.param("007", "en", "7", id="zeros"),
    ],
)
def test_a_number_has_its_languages_value(text: str, language: str, value: str) -> None:
    assert [number.value for number in numbers(text, language)] == [Decimal(value)]


@pytest.mark.parametrize(
    ("source", "answer", "lost"),
    [
        pytest.param("It is 1,234.56 here", "São 1.234,56 aqui", [], id="localised"),
        pytest.param("It is 1,234.56 here", "São 1,234.56 aqui", [], id="as-it-was"),
        pytest.param("It is 1,234.56 here", "São 1.234.56 aqui", ["1,234.56"], id="garbled"),
        pytest.param("It is 10,000 here", "São 10,000 aqui", ["10,000"], id="another-value"),
        pytest.param("Gate 12", "Portão", ["12"], id="gone"),
        pytest.param("Gate 12", "Portão 21", ["12"], id="another"),
        pytest.param("12 and 12", "12", ["12"], id="once-of-twice"),
        pytest.param("I have 21 cats", "Tenho vinte e um gatos", [], id="in-words"),
        pytest.param("2 girls", "duas meninas", [], id="in-words-of-a-gender"),
        pytest.param("at 3 pm", "às 15 horas", [], id="afternoon"),
        pytest.param("the 1990s and 21st", "os anos e", [], id="parts-of-words"),
    ],
)
def test_missing(source: str, answer: str, lost: list[str]) -> None:
    found = missing(source, "en", answer, "pt")
    assert [source[number.start : number.stop] for number in found] == lost


def test_numbers_are_written_as_the_target_language_does() -> None:
    assert localised("1,234.56 and 3.14", "en", "pt") == "1.234,56 and 3,14"


@pytest.mark.parametrize(
    ("source", "answer", "lost"),
    [
        pytest.param("I don't know", "Eu sei", True, id="lost"),
        pytest.param("I don't know", "Não sei", False, id="there"),
        pytest.param("It does not work", "É inútil", False, id="in-a-word"),
        pytest.param("It works", "Funciona", False, id="never-there"),
        pytest.param("Good, isn't it?", "Bom, certo?", False, id="a-tag-question"),
    ],
)
def test_negation(source: str, answer: str, lost: bool) -> None:
    assert loses_negation(source, "en", answer, "pt") is lost


# ---- characters ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        pytest.param("“It’s” – ‘so’…", "\"It's\" - 'so'...", id="quotes"),
        pytest.param("one—two", "one - two", id="glued-dash"),
        pytest.param("a\u00a0b\u200bc\u00add\ufeff", "a bcd", id="spaces"),
        pytest.param("well‑known", "well-known", id="hyphen"),
        pytest.param("não é ñ ü 日", "não é ñ ü 日", id="letters"),
    ],
)
def test_plain(text: str, plain: str) -> None:
    assert characters.plain(text) == plain


@pytest.mark.parametrize(
    ("answer", "source", "restored"),
    [
        pytest.param('Ele: "sim"', "He: “yes”", "Ele: “sim”", id="quotes"),
        pytest.param("Casa - nova", "House — new", "Casa — nova", id="dash"),
        pytest.param('Ele: "sim', "He: “yes”", 'Ele: "sim', id="one-is-lost"),
        pytest.param('"a" "b"', '“a” "b"', '"a" "b"', id="of-both-kinds"),
        pytest.param("Sim...", "Yes…", "Sim…", id="ellipsis"),
    ],
)
def test_restore(answer: str, source: str, restored: str) -> None:
    assert characters.restore(answer, source) == restored


# ---- single words -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "answer", "others", "chosen"),
    [
        pytest.param("Olá", "Hello, the hello", ["Hello.", "Hey.", "Hello!"], "Hello", id="votes"),
        pytest.param("Casa", "A Holiday home", ["The house!", "House"], "House", id="shortest"),
        pytest.param("Hotel", "Hotel", ["A hotel.", "Hotel!"], "Hotel", id="a-copy-may-be-right"),
        pytest.param("Olá", "Hello hello", ["Hello hello."], "Hello hello", id="none-better"),
    ],
)
def test_choose(source: str, answer: str, others: list[str], chosen: str) -> None:
    assert short.choose(source, answer, others) == chosen
