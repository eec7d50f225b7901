"""Languages of texts: how often the right one is found, by the length of the text.

    python -m bench.languages [--texts FOLDER] [--count 1000]

The texts are the prompts of the tests, in five languages, and those of ``bench/kept_texts``. A
folder may have more, a line each: ``LANGUAGE-NAME.txt``. A word, three words or the whole of a line
is asked for. Seconds.
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.command import run, value
from bench.results import Cell, Results, Table
from models.text.detection import LanguageDetector, source_among
from tests.support.speech import SHORT_SPEECH, SPEECH, clips

SEED = 77
KEPT = Path(__file__).with_name("kept_texts")
LENGTHS = {"a word": 1, "three words": 3, "a sentence": 0}
LEAST_WORDS = 4  # of a line
SHIPPED = ("en", "pt")  # what the default configuration translates
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


@dataclass(frozen=True)
class Texts:
    """Hold the lines of one source."""

    language: str
    name: str
    lines: Sequence[str]


def texts(folder: Path | None) -> Iterator[Texts]:
    """Yield the texts of the repository, and those of a folder."""
    prompts = defaultdict(list)
    for source in (SPEECH, SHORT_SPEECH):
        for clip in clips(folder=source):
            prompts[clip.language].append(clip.text)
    for language, lines in prompts.items():
        yield Texts(language, "prompts", lines)
    for path in sorted(KEPT.glob("*.txt")):
        lines = [re.sub("[⟦⟧]", "", line) for line in path.read_text().splitlines()]
        yield Texts(path.stem[:2], "kept texts", [line for line in lines if line[:1] not in "#["])
    for path in sorted(folder.glob("*.txt")) if folder else ():
        language, _, name = path.stem.partition("-")
        yield Texts(language, name, path.read_text().splitlines())


def cut(lines: Sequence[str], words: int, count: int) -> list[str]:
    """Take some words of each of some lines; 0: all of it."""
    rng = random.Random(SEED)
    long = [line for line in dict.fromkeys(lines) if len(WORD.findall(line)) >= LEAST_WORDS]
    some = rng.sample(long, min(count, len(long)))
    if not words:
        return some
    found = []
    for own in map(WORD.findall, some):
        start = rng.randrange(len(own) - words + 1)
        found.append(" ".join(own[start : start + words]))
    return found


def row(detector: LanguageDetector, some: Texts, length: str, count: int) -> list[Cell]:
    """Count what is found of texts of one length."""
    asked = cut(some.lines, LENGTHS[length], count)
    target = SHIPPED[some.language == SHIPPED[0]]
    right = chosen = warned = foreign = 0
    for text in asked:
        found = detector.languages(text)
        source = source_among(found, SHIPPED, target)
        right += bool(found) and found[0].code == some.language
        if source is None:
            continue
        chosen += source.language.code == some.language
        warned += source.maybe is not None
        foreign += source.is_foreign
    shares = [round(100 * each / len(asked), 1) for each in (right, chosen, warned, foreign)]
    return [some.language, some.name, length, len(asked), *shares]


def bench(args: argparse.Namespace) -> Results:
    before, started_s = _resident_mib(), time.perf_counter()
    detector = LanguageDetector()
    detector.languages("Hello")
    took_s, took_mib = time.perf_counter() - started_s, _resident_mib() - before
    folder = Path(args.texts) if args.texts else None
    every = [each for each in texts(folder) if len(each.lines) >= LEAST_WORDS]
    rows = [row(detector, each, length, args.count) for length in LENGTHS for each in every]
    columns = ["language", "texts", "length", "number", "detected right %"]
    columns += ["translated from right %", "with a doubt %", "taken for another language %"]
    return Results(
        name="languages",
        title="Languages of texts",
        findings=[f"The detector takes {took_s * 1000:.0f} ms to load, and {took_mib:.0f} MiB."],
        tables=[Table("Languages of texts", columns, rows)],
        notes=[
            "Detected: among all 176 languages. Translated from: among English and Portuguese, to "
            "the other one of the two, or to English."
        ],
    )


def _resident_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    options = {
        "texts": value("", "folder of LANGUAGE-NAME.txt"),
        "count": value(1000, "texts of each kind"),
    }
    run(__doc__, bench, options)
