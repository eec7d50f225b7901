"""What one attack came to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One attack, its figure, and whether the server held."""

    attack: str
    tried: str
    figure: str  # with its unit
    held_if: str  # what was asked of the figure
    held: bool
