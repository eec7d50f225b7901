"""Read the licence that a model card names: the YAML at the head of a folder's README.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CARD_FILE = "README.md"
MAX_CARD_BYTES = 1 << 20
SHOWN_CHARS = 120  # of a licence's name
MARK = "---"
# Of the hub's own words: they tell nothing.
NOTHING = ("", "other", "unknown")


def licence_of_folder(folder: Path) -> str | None:
    """Return the licence that a folder's card names; None: there is no card, or it names none."""
    try:
        with (folder / CARD_FILE).open("rb") as card:
            text = card.read(MAX_CARD_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    lines = text.splitlines()
    if not lines or lines[0].strip() != MARK:
        return None
    end = next((at for at, line in enumerate(lines[1:], 1) if line.strip() == MARK), None)
    if end is None:
        return None
    try:
        head = yaml.safe_load("\n".join(lines[1:end]))
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: of a day that is none
        return None
    return licence_of_card(head) if isinstance(head, dict) else None


def licence_of_card(card: Mapping[str, Any]) -> str | None:
    """Return the licence of a card's fields, in SPDX's spelling where it is the hub's own.

    >>> licence_of_card({"license": "cc-by-nc-4.0"})
    'CC-BY-NC-4.0'
    >>> licence_of_card({"license": "other", "license_name": "coqui-public-model-license"})
    'coqui-public-model-license'
    """
    named = card.get("license")
    told = named if isinstance(named, list) else [named]
    names = [str(each).strip() for each in told if each is not None]
    names = [name for name in names if name.lower() not in NOTHING]
    if not names:
        other = str(card.get("license_name") or card.get("license_link") or "").strip()
        names = [other] if other.lower() not in NOTHING else []
    return ", ".join(map(_spelled, names))[:SHOWN_CHARS] or None


def _spelled(name: str) -> str:
    """Spell the hub's id as SPDX does: ``apache-2.0`` as ``Apache-2.0``, ``mit`` as ``MIT``."""
    if name != name.lower() or " " in name:
        return name
    if name.startswith("apache"):
        return name.capitalize()
    return (
        name.upper()
        if name.startswith(("cc", "mit", "mpl", "bsd", "gpl", "lgpl", "agpl"))
        else name
    )
