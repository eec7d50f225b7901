"""Live translation by clauses: how near it is to whole sentences, and how long a word waits.

    python -m bench.clauses [--pairs en-pt pt-en] [--texts FILE] [--most 200]

Each text is said word by word, as fast as people talk, and cut as a live session cuts it. What is
compared is the joined translation of its clauses with the server's own of its whole sentences:
each clause by itself, and going on from its sentence. No time of recognition or translation counts.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.command import run, some, value
from bench.kept import PAIRS, SETTINGS, TEXTS, translate
from bench.kept_judge import read_cases
from bench.results import Results, Table
from deployments.live.clauses import RULES, Clause, ClauseCutter, ClauseRules
from deployments.live.events import TranscriptDelta, TurnDone
from deployments.live.interpreter import fitted
from models.registry import ENGINES
from models.runtime import ItemError
from models.types import NmtItem
from tests.support.speech import chrf
from tests.support.translations import references

WORDS_A_S = 2.6
LEAST_WORDS = 6  # of a text: a shorter one is one clause
WORD = re.compile(r"\s*\S+")


@dataclass(frozen=True)
class Row:
    """What one delay came to on one pair."""

    pair: str
    delay: str
    texts: int
    clauses: float  # of a text
    wait_s: float  # mean, from the end of a word until its clause is cut
    wait_p95_s: float
    early: float  # share of words that are cut before the end of their text
    alone: float  # chrF
    going_on: float  # chrF


def said(text: str, language: str, rules: ClauseRules) -> Iterator[tuple[Clause, float]]:
    """Say a text, and yield its clauses, each with when it was cut."""
    cutter, words = ClauseCutter(rules), WORD.findall(text)
    for number, word in enumerate(words):
        start_s, end_s = number / WORDS_A_S, (number + 1) / WORDS_A_S
        for clause in cutter.take(TranscriptDelta(0, word, start_s, end_s, language)):
            yield clause, end_s
    end_s = len(words) / WORDS_A_S
    done = TurnDone(0, text, 0.0, end_s, language, 1.0, end_s, 0.0)
    for clause in cutter.take(done):
        yield clause, end_s


def rendered(
    engine: Any, texts: Sequence[Sequence[Clause]], pair: str, *, goes_on: bool
) -> list[str]:
    """Translate the clauses of each text in order, all texts side by side."""
    source, target = pair.split("-")
    answers: list[list[str]] = [[] for _ in texts]
    for number in range(max(map(len, texts))):
        having = [place for place, clauses in enumerate(texts) if number < len(clauses)]
        items = []
        for place in having:
            first = number
            while goes_on and first and not texts[place][first].starts:
                first -= 1
            before = " ".join(clause.text for clause in texts[place][first:number])
            translated = " ".join(answers[place][first:number])
            text = texts[place][number].text
            items.append(NmtItem(text, source, target, before=before, before_translated=translated))
        for place, answer in zip(having, engine.run(items), strict=True):
            if isinstance(answer, ItemError):
                raise answer.error
            answers[place].append(fitted(texts[place][number], answer.text))
    return [" ".join(filter(None, each)) for each in answers]


def measured(engine: Any, pair: str, texts: Sequence[str], delay: str, whole: list[str]) -> Row:
    source = pair.partition("-")[0]
    cut = [list(said(text, source, RULES[delay])) for text in texts]  # type: ignore[index]
    waits, early = list[float](), list[bool]()
    for clauses in cut:
        ends_s = [at_s for clause, at_s in clauses for _ in clause.text.split()]
        waits += [at_s - (number + 1) / WORDS_A_S for number, at_s in enumerate(ends_s)]
        early += [at_s < len(ends_s) / WORDS_A_S - 1e-6 for at_s in ends_s]
    spoken = [[clause for clause, _ in clauses if clause.text] for clauses in cut]
    alone, going_on = (
        chrf(whole, rendered(engine, spoken, pair, goes_on=goes_on)) for goes_on in (False, True)
    )
    return Row(
        pair,
        delay,
        len(texts),
        float(np.mean([len(clauses) for clauses in spoken])),
        float(np.mean(waits)),
        float(np.percentile(waits, 95)),
        float(np.mean(early)),
        alone,
        going_on,
    )


def texts_of(pair: str, file: str, most: int) -> list[str]:
    """Return texts to say: those of a file, a line each, or those of the project."""
    if file:
        found = Path(file).read_text().splitlines()
    else:
        found = [case.plain for case in read_cases(TEXTS / f"{pair}.txt", pair)]
        found += [source for source, _ in references(pair)]
    long = [text for text in found if len(text.split()) >= LEAST_WORDS]
    return random.Random(1).sample(long, min(most, len(long)))


def bench(args: argparse.Namespace) -> Results:
    engine: Any = ENGINES["bergamot"].create(SETTINGS)
    engine.load()
    rows = []
    for pair in args.pairs:
        texts = texts_of(pair, args.texts, args.most)
        whole = translate(engine, texts, pair)
        rows += [measured(engine, pair, texts, delay, whole) for delay in RULES]
    columns = {
        "pair": lambda row: row.pair,
        "delay": lambda row: row.delay,
        "texts": lambda row: row.texts,
        "clauses a text": lambda row: round(row.clauses, 2),
        "a word waits, mean s": lambda row: round(row.wait_s, 2),
        "p95 s": lambda row: round(row.wait_p95_s, 2),
        "cut before the end": lambda row: f"{row.early:.0%}",
        "chrF, each alone": lambda row: round(row.alone, 1),
        "chrF, going on": lambda row: round(row.going_on, 1),
    }
    gain = float(np.mean([row.going_on - row.alone for row in rows if row.delay == "medium"]))
    return Results(
        name="clauses",
        title="Live translation by clauses",
        findings=[f"going on from its sentence gains a clause {gain:.1f} chrF at delay medium"],
        tables=[Table.of("chrF against whole sentences, and waiting", rows, columns)],
        notes=[f"words are said {WORDS_A_S} a second"],
    )


if __name__ == "__main__":
    options = {
        "pairs": some(PAIRS),
        "texts": value("", "a file of texts, a line each, instead of the project's"),
        "most": value(200, "texts of a pair"),
    }
    run(__doc__, bench, options)
