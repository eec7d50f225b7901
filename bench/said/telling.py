"""What the parts of the bench have in common when they tell what they found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

from bench.results import Cell, Table
from bench.said.hearing import Run
from bench.said.judging import Lost, Repeated, said_twice, words_lost
from bench.said.recordings import LANGUAGES, Recording

SHOWN = 12  # texts of a table of examples


@dataclass(frozen=True)
class Aim:
    """One figure and what it should be."""

    what: str
    measured: str
    aim: str
    met: bool

    @property
    def row(self) -> list[Cell]:
        return [self.what, self.measured, self.aim, "yes" if self.met else "no"]


@dataclass(frozen=True)
class Told:
    """One part of the bench."""

    tables: Sequence[Table]
    aims: Sequence[Aim] = ()
    raw: dict[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


def at_most(what: str, measured: float, aim: float, unit: str = "") -> Aim:
    return Aim(what, f"{measured:.2f}{unit}", f"at most {aim:g}{unit}", measured <= aim + 1e-9)


def at_least(what: str, measured: float, aim: float, unit: str = "") -> Aim:
    return Aim(what, f"{measured:.1f}{unit}", f"at least {aim:g}{unit}", measured >= aim - 1e-9)


def aims_table(aims: Sequence[Aim]) -> Table:
    return Table("Aims", ["what", "measured", "aim", "met"], [aim.row for aim in aims])


# ---- over recordings -------------------------------------------------------------------


def lost(recordings: Sequence[Recording], run: Run, language: str | None = None) -> Lost:
    """Over all recordings together, or those of one language."""
    some = [each for each in recordings if language in (None, each.language)]
    found = (words_lost(run.heard[each.name].text, each.text) for each in some)
    return reduce(add, found, Lost(0, 0, 0, 0))


def wer_percent(recordings: Sequence[Recording], run: Run, language: str | None = None) -> float:
    return 100 * lost(recordings, run, language).wer


def languages(recordings: Sequence[Recording]) -> list[str]:
    found = {each.language for each in recordings}
    return [language for language in LANGUAGES if language in found]


def twice(
    recordings: Sequence[Recording], run: Run, beside: Run | None
) -> list[tuple[Recording, Repeated]]:
    """What a run says more often in a row than the script and the run beside it."""
    found = []
    for each in recordings:
        references = [each.text] + ([beside.heard[each.name].text] if beside else [])
        repeated = said_twice(run.heard[each.name].text, *references)
        found += [(each, one) for one in repeated]
    return found


def raw(recordings: Sequence[Recording], runs: Sequence[Run]) -> dict[str, Any]:
    """Every text, for whoever judges otherwise."""
    return {
        "cpu_s": {run.way: round(run.cpu_s, 2) for run in runs},
        "took_s": {run.way: round(run.took_s, 2) for run in runs},
        "refused": {
            run.way: refused
            for run in runs
            if (refused := {n: h.refused for n, h in run.heard.items() if h.refused})
        },
        "texts": {
            each.name: {
                "said": each.text,
                **{run.way: run.heard[each.name].text for run in runs if each.name in run.heard},
            }
            for each in recordings
        },
    }
