"""What the models are asked to do for one live session: for its caller, and for who follows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from deployments.live.options import LiveOptions


@dataclass(frozen=True, slots=True)
class Demand:
    """Options of a session, and what else is wanted of it.

    Attributes:
        options: the session's own.
        wanted: every language that anybody wants, and whether anybody wants it spoken.
    """

    options: LiveOptions
    wanted: tuple[tuple[str, bool], ...]

    @classmethod
    def of(cls, options: LiveOptions, wanted: Mapping[str, bool] | None = None) -> Demand:
        """Return what is asked for; without ``wanted``, by the session's own caller alone."""
        own = dict.fromkeys(options.targets, options.speaks)
        options = replace(options, glossary=None)  # it asks no more of the models
        return cls(options, tuple(sorted((own if wanted is None else wanted).items())))


Admit: TypeAlias = Callable[[Demand, Demand | None], None]
"""Refuses a demand that the models could not carry, in the place of one that they carry already;
None: the session is to be opened."""


def admit_all(demand: Demand, before: Demand | None) -> None:
    """Refuse nothing."""
