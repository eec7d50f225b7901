"""A glossary: its terms by pair, what sounds like them, and how they are spoken."""

from __future__ import annotations

import pytest

from models.text.glossary import Entry, Glossary
from models.text.spoken_terms import SpokenTerm, SpokenTerms
from models.types import FIRST_SOUND, Term

DEED = Entry("deed", "en", (("pt", "escritura"), ("fr", "acte")))
NAME = Entry("Kestrelle", "en", (("pt", "Kestrelle"),), (("pt", "questréle"),))


@pytest.mark.parametrize(
    ("source", "target", "text", "terms"),
    [
        pytest.param("en", "pt", "A deed.", (Term("deed", "escritura"),), id="as-given"),
        pytest.param("pt", "en", "A escritura.", (Term("escritura", "deed"),), id="back"),
        pytest.param("pt", "fr", "A escritura.", (Term("escritura", "acte"),), id="between-others"),
        pytest.param("en", "de", "A deed.", (), id="another-language"),
    ],
)
def test_an_entry_serves_every_direction(
    source: str, target: str, text: str, terms: tuple[Term, ...]
) -> None:
    assert Glossary([DEED]).terms(source, target).within(text) == terms


def test_the_entry_whose_own_term_it_is_comes_first() -> None:
    own = Entry("escritura", "pt", (("en", "title deed"),))
    (term,) = Glossary([DEED, own]).terms("pt", "en").terms
    assert term.translation == "title deed"


def test_glossaries_of_the_same_entries_are_equal() -> None:
    assert Glossary([DEED]) == Glossary([DEED])
    assert hash(Glossary([DEED])) == hash(Glossary([DEED]))
    assert Glossary([DEED]) != Glossary([NAME])


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("We bought it from Castrel.", ("Kestrelle",)),
        ("We bought it from kes trell.", ("Kestrelle",)),
        ("The weather is fine today.", ()),
        ("", ()),
    ],
)
def test_what_sounds_like_a_term_is_found(text: str, terms: tuple[str, ...]) -> None:
    assert Glossary([NAME, DEED]).sounding_like(text, "en") == terms


def test_a_spelling_of_the_sound_is_listened_for() -> None:
    silent = Entry("Xyq", "en", (), (("en", "marmalade"),))
    assert Glossary([silent]).sounding_like("Ask for mormalate.", "en") == ("Xyq",)


def test_nearly_a_term_is_found_where_it_is() -> None:
    text = "They ask questrelle."
    found = Glossary([NAME]).spelling("pt", ["Kestrelle"]).misspelt(text)
    assert [(text[start:stop], term) for start, stop, term in found] == [
        ("questrelle", "Kestrelle")
    ]


def test_another_spelling_is_spoken() -> None:
    terms = Glossary([NAME]).spoken("pt")
    assert terms.said("A Kestrelle.", takes_phonemes=False) == ("A questréle.", ())


IPA = SpokenTerm("Niamh", "/niːv/")


def test_phonemes_are_a_character_of_the_text() -> None:
    spoken = SpokenTerms([SpokenTerm("Siobhan", "/ʃɪˈvɔːn/"), IPA], "en")
    text, unused = spoken.said("Ask Niamh, or Niamh.", takes_phonemes=True)
    sentence, sounds = spoken.phonemes_in(text)
    assert (sentence, sounds) == (f"Ask {FIRST_SOUND}, or {FIRST_SOUND}.", ("niːv",))
    assert unused == ()


def test_phonemes_that_a_voice_does_not_take_are_said() -> None:
    said = SpokenTerms([IPA], "en").said("Ask Niamh.", takes_phonemes=False)
    assert said == ("Ask Niamh.", ("Niamh",))


def test_a_callers_own_characters_are_no_phonemes() -> None:
    text, _ = SpokenTerms([IPA], "en").said(f"Ask {FIRST_SOUND} now.", takes_phonemes=True)
    assert FIRST_SOUND not in text
