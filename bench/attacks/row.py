"""One attack: what was tried, its figure, and whether the server held."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A line of the table of attacks."""

    attack: str
    figure: str
    held: bool
