"""Terms of a glossary: where they stand in a text, and how they come into its translation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.nmt.keeping import KeepingNmt
from models.text.plurals import plural
from models.text.term_places import TermPlaces
from models.types import NmtItem, Term, Translation
from tests.unit.models.text.test_keep import Scripted, said

# ---- where they stand ---------------------------------------------------------------------


def found(text: str, *terms: str, language: str = "en", case_sensitive: bool = False) -> list[str]:
    places = TermPlaces([(term, case_sensitive) for term in terms], language)
    return [text[place.start : place.stop] for place in places.find(text)]


@pytest.mark.parametrize(
    ("text", "terms", "places"),
    [
        pytest.param("The deed, please.", ["deed"], ["deed"], id="beside-punctuation"),
        pytest.param("Deeds and DEED", ["deed"], ["Deeds", "DEED"], id="plural-and-capitals"),
        pytest.param("They are indeed here.", ["deed"], [], id="inside-a-word"),
        pytest.param(
            "Lumivoxa Plus", ["Lumivoxa", "Lumivoxa Plus"], ["Lumivoxa Plus"], id="longest"
        ),
        pytest.param("a sign-off now", ["sign", "sign-off"], ["sign-off"], id="hyphen"),
        pytest.param("a sign\u2011off", ["sign-off"], ["sign\u2011off"], id="another-hyphen"),
        pytest.param("C++ and C", ["C", "C++"], ["C++", "C"], id="signs"),
        pytest.param("a.b axb", ["a.b"], ["a.b"], id="no-pattern"),
        pytest.param(
            "power\u00a0of attorney", ["power of attorney"], ["power\u00a0of attorney"], id="space"
        ),
        pytest.param("私は弁護士です", ["弁護士"], ["弁護士"], id="no-spaces"),
        pytest.param("İstanbul deed", ["deed"], ["deed"], id="a-letter-that-grows"),
    ],
)
def test_a_term_is_whole_words(text: str, terms: list[str], places: list[str]) -> None:
    assert found(text, *terms) == places


def test_capitals_count_where_they_matter() -> None:
    assert found("Polish the Polish table.", "Polish", case_sensitive=True) == ["Polish", "Polish"]
    assert found("polish the table.", "Polish", case_sensitive=True) == []


@given(st.text(max_size=40), st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=4))
def test_places_are_in_order_and_apart(text: str, terms: list[str]) -> None:
    places = TermPlaces([(term, False) for term in terms], "en").find(text)
    ends = [0, *(at for place in places for at in (place.start, place.stop))]
    assert ends == sorted(ends)
    assert ends[-1] <= len(text)


@pytest.mark.parametrize(
    ("term", "language", "wanted"),
    [
        ("company", "en", "companies"),
        ("stent", "en", "stents"),
        ("security deposit", "en", "security deposits"),
        ("power of attorney", "en", None),
        ("procuração", "pt", "procurações"),
        ("cidadão", "pt", None),
        ("prazo prescricional", "pt", None),
        ("Vertrag", "de", None),
    ],
)
def test_a_plural_is_made_where_it_is_regular(term: str, language: str, wanted: str | None) -> None:
    assert plural(term, language) == wanted


# ---- how they come into a translation -------------------------------------------------------

DEED = Term("deed", "escritura")


def kept(
    text: str, *terms: Term, script: Callable[[str], str] = said
) -> tuple[str, list[str], list[list[str]]]:
    """Return the answer, the codes of its warnings, and what the engine was asked."""
    engine = Scripted(script)
    (result,) = KeepingNmt(engine).run([NmtItem(text, "en", "pt", terms=terms)])
    assert isinstance(result, Translation)
    return result.text, [warning.code for warning in result.warnings], engine.asked


def answering(**answers: str) -> Callable[[str], str]:
    """Return a script that replaces words, and keeps all others."""

    def script(text: str) -> str:
        for word, answer in answers.items():
            text = text.replace(word, answer)
        return text

    return script


def test_a_term_that_the_engine_knows_is_asked_for_once() -> None:
    text, warnings, asked = kept("Sign the deed.", DEED, script=answering(deed="escritura"))
    assert (text, warnings, len(asked)) == ("Sign the escritura.", [], 1)


def test_a_term_is_put_in_the_target_language_into_the_text() -> None:
    text, _, asked = kept("Sign the deed.", DEED, script=answering(deed="ato", the="o"))
    assert (text, asked[1:]) == ("Sign o escritura.", [["Sign the escritura."]])


def test_a_term_that_the_engine_garbles_is_written_as_a_name() -> None:
    script = answering(deed="ato", the="o", escritura="escrita")
    text, _, asked = kept("Sign the deed.", DEED, script=script)
    assert (text, asked[-1]) == ("Sign o escritura.", ["Sign the Escritura."])


def test_a_term_that_the_engine_always_garbles_is_marked() -> None:
    script = answering(deed="ato", escritura="escrita", Escritura="Escrita")
    text, warnings, asked = kept("Sign the deed.", DEED, script=script)
    assert (text, warnings, asked[-1]) == ("Sign the escritura.", [], ["Sign the X1."])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        pytest.param("Deed or no deed?", "Escritura or no escritura?", id="twice-and-first"),
        pytest.param("Two deeds are here.", "Two escrituras are here.", id="plural"),
        pytest.param("SIGN THE DEED NOW.", "SIGN THE ESCRITURA NOW.", id="capitals"),
        pytest.param('The "deed" (deed).', 'The "escritura" (escritura).', id="punctuation"),
        pytest.param("deed", "escritura", id="alone"),
        pytest.param("See deed.pdf and www.deed.com/deed now.", None, id="inside-of-items"),
    ],
)
def test_each_term_of_a_text_comes_out(text: str, answer: str | None) -> None:
    wanted = text if answer is None else answer
    script = answering(deeds="atos", deed="ato", Deed="Ato")
    assert kept(text, DEED, script=script)[0].replace("ato", "deed") == wanted


def test_a_plural_that_is_not_regular_is_said() -> None:
    term = Term("deed", "título executivo")
    script = answering(deeds="atos", título="titulo", Título="Titulo")
    text, warnings, _ = kept("Two deeds.", term, script=script)
    assert (text, warnings) == ("Two título executivo.", ["term_singular"])


def test_capitals_of_the_glossary_are_written() -> None:
    term = Term("kestrelle", "KesTrelle")
    assert kept("Ask kestrelle.", term, script=str.lower)[0] == "ask KesTrelle."


def test_a_term_is_there_whatever_the_engine_answers() -> None:
    text, warnings, _ = kept("Sign the deed now.", DEED, script=lambda text: "zz")
    assert (text, warnings) == ("zz escritura zz", ["translated_in_parts"])


@pytest.mark.parametrize("word", ["X1", "(1)", "X{}", r"\1", "$&", "{0}", "%s", "[[x]]"])
def test_signs_of_the_keepers_own_are_words_like_others(word: str) -> None:
    term = Term("deed", word)
    script = answering(deed="ato")
    assert kept("Pay £5 for the deed.", term, script=script)[0].count(word) == 1


def test_a_text_without_terms_is_asked_for_as_ever() -> None:
    assert kept("Pay £35 to me.", DEED) == kept("Pay £35 to me.")


def test_a_term_whose_translation_is_bounded_away_is_said() -> None:
    engine = Scripted(lambda text: "")
    (result,) = KeepingNmt(engine).run(
        [NmtItem("A deed.", "en", "pt", max_tokens=1, terms=(DEED,))]
    )
    assert isinstance(result, Translation)
    assert "term_lost" in [warning.code for warning in result.warnings]


def test_a_batch_keeps_different_glossaries_apart() -> None:
    other = Term("deed", "título")
    items = [NmtItem("A deed.", "en", "pt", terms=terms) for terms in ((DEED,), (other,), ())]
    results = KeepingNmt(Scripted(answering(deed="ato"))).run(items)
    texts = [each.text for each in results if isinstance(each, Translation)]
    assert texts == ["A escritura.", "A título.", "A ato."]
