"""Cuts a sentence around its items into pieces that are translated alone and joined again."""

from __future__ import annotations

from collections.abc import Sequence

from models.text.items import Item, Part

_ENDS = ".!?…"


def pieces(parts: Sequence[Part]) -> list[str]:
    """Return the pieces to translate: all prose between items that holds a letter."""
    return [part.strip() for part in parts if isinstance(part, str) and _is_piece(part)]


def joined(parts: Sequence[Part], translations: Sequence[str]) -> list[Part]:
    """Join the parts with the translations of their pieces, with the pieces' case and ends."""
    left = iter(translations)
    return [_fitted(part, next(left)) if _is_piece(part) else part for part in parts]


def _fitted(piece: Part, translation: str) -> str:
    assert isinstance(piece, str)
    core = piece.strip()
    before, _, behind = piece.partition(core)
    if core[-1] not in _ENDS:
        translation = translation.rstrip(_ENDS)
    if core[0].islower() and translation[:1].isupper() and not translation[1:2].isupper():
        translation = translation[0].lower() + translation[1:]
    return f"{before}{translation}{behind}"


def _is_piece(part: Part) -> bool:
    return not isinstance(part, Item) and any(map(str.isalpha, part))
