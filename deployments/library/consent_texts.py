"""What is read aloud to consent to a copy of one's voice, and how to tell whether it was."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_WORD_ERRORS = 0.45  # share of the text's words


@dataclass(frozen=True, slots=True)
class ConsentText:
    """A text of one language; ``negations``: words of which one would turn it round."""

    text: str
    negations: frozenset[str]


CONSENT_TEXTS: Mapping[str, ConsentText] = {
    "en": ConsentText(
        "I am the owner of this voice. I agree that this service may make a synthetic copy of my "
        "voice and speak with it in my name.",
        frozenset({"not", "don't", "never", "cannot", "refuse", "disagree"}),
    ),
    "pt": ConsentText(
        "Esta voz é minha. Eu concordo que este serviço faça uma cópia artificial da minha voz e "
        "fale com ela em meu nome.",
        frozenset({"não", "nunca", "recuso", "discordo"}),
    ),
    "es": ConsentText(
        "Esta voz es mía. Estoy de acuerdo en que este servicio haga una copia artificial de mi "
        "voz y hable con ella en mi nombre.",
        frozenset({"no", "nunca", "rechazo"}),
    ),
    "fr": ConsentText(
        "Cette voix est la mienne. J'accepte que ce service fasse une copie artificielle de ma "
        "voix et qu'il parle avec elle en mon nom.",
        frozenset({"pas", "jamais", "refuse"}),
    ),
    "de": ConsentText(
        "Diese Stimme gehört mir. Ich bin damit einverstanden, dass dieser Dienst eine künstliche "
        "Kopie meiner Stimme macht und mit ihr in meinem Namen spricht.",
        frozenset({"nicht", "nie", "niemals", "kein", "keine"}),
    ),
    "it": ConsentText(
        "Questa voce è mia. Sono d'accordo che questo servizio faccia una copia artificiale della "
        "mia voce e parli con essa a mio nome.",
        frozenset({"non", "mai", "rifiuto"}),
    ),
}


def is_consent(heard: str, consent: ConsentText) -> bool:
    """Tell whether what was heard is the text, but for some words that were misheard."""
    said, expected = words_of(heard), words_of(consent.text)
    if consent.negations & set(said):
        return False
    return word_errors(expected, said) <= MAX_WORD_ERRORS * len(expected)


def word_errors(expected: Sequence[str], said: Sequence[str]) -> int:
    """Count the words that were left out, added or changed: Levenshtein's distance."""
    row = list(range(len(said) + 1))
    for number, word in enumerate(expected, start=1):
        before, row[0] = row[0], number
        for place, other in enumerate(said, start=1):
            changed = before + (word != other)
            before, row[place] = row[place], min(changed, row[place] + 1, row[place - 1] + 1)
    return row[-1]


def words_of(text: str) -> list[str]:
    """List the words of a text in small letters, without marks around them."""
    plain = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    return re.findall(r"\w+(?:'\w+)*", plain)
