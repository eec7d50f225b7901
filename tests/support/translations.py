"""Texts with their translations: by the native engine of the Bergamot students, and by people."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.speech import clip

FOLDER = Path(__file__).parents[1] / "data" / "nmt"

# What people hear on the telephone and say every day; translated by hand for this test. The
# first ones are prompts of tests/data/speech.
SPOKEN = [
    (clip("en-agent-newlocation").text, "Digite um novo ramal, seguido de cerquilha."),
    (clip("en-conf-onlyperson").text, "Você é a única pessoa nesta conferência no momento."),
    (
        clip("en-followme_sorry").text,
        "Desculpe, mas não consegui localizar a pessoa para quem você está ligando",
    ),
    (clip("en-please-try-call-later").text, "Por favor, tente ligar novamente mais tarde."),
    (clip("en-tt-monkeysintro").text, "Eles foram levados embora por macacos"),
    (
        "That password does not meet the minimum requirements for this mailbox.",
        "Essa senha não atende aos requisitos mínimos desta caixa postal.",
    ),
    ("Please wait a moment.", "Por favor, espere um momento."),
    ("What time does the bank open?", "A que horas o banco abre?"),
    ("I would like to speak to the manager.", "Eu gostaria de falar com o gerente."),
    ("My phone number has changed.", "Meu número de telefone mudou."),
    ("Where is the nearest hospital?", "Onde fica o hospital mais próximo?"),
    ("We will call you back tomorrow morning.", "Ligaremos de volta amanhã de manhã."),
]


def references(pair: str) -> list[tuple[str, str]]:
    """(source, what the native engine translates): see tests/data/nmt/make_references.py."""
    rows = map(json.loads, (FOLDER / f"{pair}.jsonl").read_text().splitlines())
    return [(row["source"], row["target"]) for row in rows]
