"""Spanish, French and Italian quantities and dates, as they are said."""

from __future__ import annotations

import pytest

from models.tts.normalisation import spoken

SAID = [
    ("es", "Cuesta 25 €.", "Cuesta 25 euros."),
    ("es", "Son $20,50 en total.", "Son 20 dólares con 50 centavos en total."),
    ("es", "Un 12,5% más.", "Un 12,5 por ciento más."),
    ("es", "El 01/05/2026 a 80 km/h.", "El primero de mayo de 2026 a 80 kilómetros por hora."),
    ("es", "Hace -5 °C.", "Hace menos 5 grados Celsius."),
    ("fr", "Il coûte 1 €.", "Il coûte 1 euro."),
    ("fr", "Cela fait 20,15 €.", "Cela fait 20 euros et 15 centimes."),
    ("fr", "Le 14/07/2026, 10-12 kg.", "Le 14 juillet 2026, 10 à 12 kilos."),
    ("it", "Costa 3,20 €.", "Costa 3 euro e 20 centesimi."),
    ("it", "Il 2026-01-01 al 50%.", "Il primo gennaio 2026 al 50 per cento."),
    ("it", "Il 45/13/2026 no.", "Il 45/13/2026 no."),
    ("es", "No hay signos aquí.", "No hay signos aquí."),
]


@pytest.mark.parametrize(("language", "text", "said"), SAID, ids=[text for _, text, _ in SAID])
def test_signs_are_said_in_words(language: str, text: str, said: str) -> None:
    assert spoken(text, language) == said
    assert spoken(said, language) == said
