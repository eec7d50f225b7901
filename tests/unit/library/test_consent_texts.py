"""Whether a text of consent was read: misheard words are borne, another text is not."""

from __future__ import annotations

import pytest

from deployments.library.consent_texts import CONSENT_TEXTS, is_consent, word_errors

ENGLISH = CONSENT_TEXTS["en"]


@pytest.mark.parametrize("language", CONSENT_TEXTS)
def test_the_text_itself_is_a_consent(language: str) -> None:
    consent = CONSENT_TEXTS[language]
    assert is_consent(consent.text, consent)
    assert is_consent(consent.text.upper().replace(".", ""), consent)


@pytest.mark.parametrize("language", CONSENT_TEXTS)
def test_the_text_of_another_language_is_none(language: str) -> None:
    others = [other for code, other in CONSENT_TEXTS.items() if code != language]
    assert not any(is_consent(other.text, CONSENT_TEXTS[language]) for other in others)


HEARD = {
    "some words misheard": (ENGLISH.text.replace("synthetic", "scientific"), True),
    "turned round": (ENGLISH.text.replace("I agree", "I do not agree"), False),
    "half of it": (ENGLISH.text[: len(ENGLISH.text) // 2], False),
    "nothing": ("", False),
    "another text": ("Please press the pound key to hear the menu again.", False),
    "much more": (f"{ENGLISH.text} {'And then I went home. ' * 5}", False),
}


@pytest.mark.parametrize(("heard", "is_one"), HEARD.values(), ids=HEARD)
def test_what_was_heard_is_judged(heard: str, is_one: bool) -> None:
    assert is_consent(heard, ENGLISH) is is_one


DISTANCES = {
    "the same": ("a b c", "a b c", 0),
    "one left out": ("a b c", "a c", 1),
    "one added": ("a c", "a b c", 1),
    "one changed": ("a b c", "a x c", 1),
    "nothing heard": ("a b c", "", 3),
}


@pytest.mark.parametrize(("expected", "said", "errors"), DISTANCES.values(), ids=DISTANCES)
def test_wrong_words_are_counted(expected: str, said: str, errors: int) -> None:
    assert word_errors(expected.split(), said.split()) == errors
