"""What is asked of the translation of texts."""

from __future__ import annotations

from dataclasses import dataclass

from models.text.glossary import Glossary


@dataclass(frozen=True, slots=True)
class TextOptions:
    """Options of a text's translation, where the engine has them; see ``NmtItem``."""

    beam_size: int = 1
    length_penalty: float = 1.0
    max_tokens: int | None = None
    glossary: Glossary | None = None


GREEDY = TextOptions()
