"""A glossary that the server keeps, with the shipped configuration and real models."""

from __future__ import annotations

import pytest

from dragoman_client import Client, errors

TERMS = [
    {"term": "deed", "language": "en", "translations": {"pt": "escritura"}},
    {"term": "dashboard", "language": "en", "translations": {"pt": "painel de controlo"}},
]


def test_a_kept_glossary_is_used_until_it_is_deleted(client: Client) -> None:
    kept = client.add_glossary("house", TERMS)
    texts = ["The deed of the house is in the safe.", "Open the dashboard of today."]
    with_terms = client.translate_text(texts, "en", "pt", glossary=kept.id)
    plain = client.translate_text(texts, "en", "pt")
    words = ("escritura", "painel de controlo")
    assert [word in row.text for word, row in zip(words, with_terms, strict=True)] == [True] * 2
    assert [word in row.text for word, row in zip(words, plain, strict=True)] == [False] * 2
    client.delete_glossary(kept.id)
    with pytest.raises(errors.NotFound):
        client.translate_text(texts, "en", "pt", glossary=kept.id)
