"""The findings of a part, and what the parts have in common when they tell them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

from bench.results import Aim, Cell, Table
from bench.said.hearing import Run
from bench.said.judging import Lost, Repeated, said_twice, words_lost
from bench.said.recordings import LANGUAGES, Recording

SHOWN = 12  # texts of a table of examples
LOST_COLUMNS = ("deleted", "inserted", "wrong", "WER %")


@dataclass(frozen=True)
class Told:
    """One part of the bench."""

    tables: Sequence[Table]
    aims: Sequence[Aim] = ()
    raw: dict[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


def examples(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], most: int = SHOWN
) -> list[Table]:
    """Make a table of some texts; none where there are none."""
    shown = [*rows][:most]
    return [Table(title, columns, shown)] if shown else []


# ---- over recordings -------------------------------------------------------------------


def lost(recordings: Sequence[Recording], run: Run, language: str | None = None) -> Lost:
    """Sum up the words lost over all recordings, or over those of one language."""
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
    """Find what a run says more often in a row than the script and the run beside it."""
    found = []
    for each in recordings:
        references = [each.text] + ([beside.heard[each.name].text] if beside else [])
        repeated = said_twice(run.heard[each.name].text, *references)
        found += [(each, one) for one in repeated]
    return found


def raw(recordings: Sequence[Recording], runs: Sequence[Run]) -> dict[str, Any]:
    """Keep every text, for whoever judges otherwise."""
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
