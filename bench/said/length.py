"""Part ``long``: minutes of speech of one language, with pauses, and with music between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.results import Aim, Cell, Table
from bench.said import telling
from bench.said.hearing import Ears, Run
from bench.said.judging import Lost, Repeated
from bench.said.music import NoMusicError, music
from bench.said.recordings import LANGUAGES, Recording, long
from bench.said.telling import LOST_COLUMNS, Told, examples, lost, twice

MINUTES, LONGEST_MINUTES = 5.0, 10.0
QUICK_MINUTES, QUICK_LANGUAGES = 1.0, ("en", "es")
AIM_CPU = 1.1  # of faster-whisper's
AIM_LOST = 0  # words more than faster-whisper


@dataclass(frozen=True)
class Found:
    """One recording, heard by all. The runs hold this recording alone."""

    recording: Recording
    reference: Run
    filtered: Run  # faster-whisper with its own detector
    json: Run
    verbose: Run

    @property
    def runs(self) -> tuple[Run, ...]:
        return (self.reference, self.filtered, self.json, self.verbose)

    def lost(self, run: Run) -> Lost:
        return lost([self.recording], run)

    def twice(self, run: Run) -> list[Repeated]:
        beside = None if run is self.reference else self.reference
        return [repeated for _, repeated in twice([self.recording], run, beside)]

    def cpu_ratio(self, run: Run) -> float:
        return run.cpu_s / self.reference.cpu_s

    def row(self, run: Run) -> list[Cell]:
        counted = self.lost(run)
        row: list[Cell] = [self.recording.name, run.way, counted.words, *counted.cells]
        return [*row, run.cpu_s, self.cpu_ratio(run), len(self.twice(run)), run.refused]


def recordings(quick: bool) -> tuple[list[Recording], list[str]]:
    """Make the recordings; say which cannot be had, and why."""
    minutes = QUICK_MINUTES if quick else MINUTES
    chosen = QUICK_LANGUAGES if quick else LANGUAGES
    found = [long(language, minutes, f"{language}, {minutes:g} min") for language in chosen]
    missing = []
    try:
        found.append(long("en", minutes, f"en with music, {minutes:g} min", music()))
    except NoMusicError as error:
        missing.append(f"Long recordings: the one with music is missing: {error}")
    if not quick:
        found.append(long("en", LONGEST_MINUTES, f"en, {LONGEST_MINUTES:g} min"))
    return found, missing


def measure(ears: Ears, quick: bool) -> Told:
    some, missing = recordings(quick)
    return report([_measured(ears, each) for each in some], missing)


def _measured(ears: Ears, recording: Recording) -> Found:
    print(f"  {recording.name}:", flush=True)
    alone = [recording]
    return Found(
        recording,
        ears.reference(alone),
        ears.reference(alone, vad_filter=True),
        ears.served(alone, "json"),
        ears.served(alone, "verbose_json"),
    )


def report(found: Sequence[Found], missing: Sequence[str] = ()) -> Told:
    columns = ["recording", "who", "words", *LOST_COLUMNS]
    columns += ["CPU s", "CPU, of faster-whisper's", "said twice", "refused"]
    rows = [each.row(run) for each in found for run in each.runs]
    doubled = [
        [run.way, each.recording.name, f"{repeated.times} times: {repeated.passage}"]
        for each in found
        for run in (each.json, each.verbose)
        for repeated in each.twice(run)
    ]
    names = ["who", "recording", "what"]
    return Told(
        tables=[
            Table("Long recordings", columns, rows),
            *examples("Long recordings, said twice", names, doubled, len(doubled)),
        ],
        aims=[aim for form in ("json", "verbose") for aim in _aims(found, form)],
        raw={each.recording.name: telling.raw([each.recording], each.runs) for each in found},
        notes=[
            "Long recordings: the clips of a language in other orders again and again, pauses of "
            "0.3 to 2 s between them, the language named. Said twice are passages "
            "that neither the script nor faster-whisper repeats.",
            *missing,
        ],
    )


def _aims(found: Sequence[Found], form: str) -> list[Aim]:
    """Judge all recordings together, but for the CPU time: that of the worst."""
    runs: list[Run] = [getattr(each, form) for each in found]
    pairs = list(zip(found, runs, strict=True))
    more = sum(each.lost(run).deleted - each.lost(each.reference).deleted for each, run in pairs)
    ratios = {each.recording.name: each.cpu_ratio(run) for each, run in pairs}
    worst = max(ratios, key=ratios.__getitem__)
    what, at_worst = f"long, {runs[0].way}", f"at worst ({worst})"
    doubled = sum(len(each.twice(run)) for each, run in pairs)
    return [
        Aim.at_most(f"{what}: words lost over faster-whisper's", more, AIM_LOST),
        Aim.at_most(f"{what}: CPU of faster-whisper's, {at_worst}", ratios[worst], AIM_CPU),
        Aim.at_most(f"{what}: passages said twice", doubled, 0),
    ]
