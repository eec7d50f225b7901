"""Part ``mixed``: recordings of two and three languages, none of them named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from bench.results import Cell, Table
from bench.said import telling
from bench.said.hearing import Ears, Piece, Run
from bench.said.judging import Recovered, by_language
from bench.said.recordings import (
    LANGUAGES,
    Clip,
    Part,
    Recording,
    as_recording,
    generator,
    joined,
    of_language,
)
from bench.said.telling import Told, at_least

GAPS_S = (0.5, 1.0, 2.0, 4.0)  # where the language changes
WITHIN_S = 0.5  # between clips of one language
CLIPS_A_STRETCH = (1, 2, 1, 3)
LENGTHS_S = (2.0, 6.0)
THREES = (
    ("en", "fr", "en"),
    ("es", "en", "es"),
    ("it", "ru", "it"),
    ("ru", "en", "ru"),
    ("en", "es", "fr"),
    ("fr", "it", "es"),
    ("es", "ru", "en"),
    ("it", "en", "it"),
    ("ru", "fr", "it"),
    ("fr", "en", "fr"),
    ("en", "it", "en"),
    ("es", "fr", "ru"),
)
QUICK_EVERY = 5
AIM_RECOVERED = 95.0  # % in every language


@dataclass(frozen=True)
class Spoken:
    """A recording and the clips that it is made of, in order."""

    recording: Recording
    clips: tuple[Clip, ...]


@dataclass(frozen=True)
class Found:
    """``alone`` is what the same recogniser hears of each clip alone, its language named."""

    spoken: Sequence[Spoken]
    served: Sequence[Run]
    reference: Sequence[Run]
    served_alone: Run
    reference_alone: Run

    def alone(self, run: Run) -> Run:
        return self.reference_alone if run in self.reference else self.served_alone


def recordings() -> list[Spoken]:
    """Each two languages in both orders, and some threes."""
    orders = [*permutations(LANGUAGES, 2), *THREES]
    return [_spoken(order, number) for number, order in enumerate(orders)]


def _spoken(order: Sequence[str], number: int) -> Spoken:
    draw = generator("mixed", order)
    least_s, most_s = LENGTHS_S
    said: list[Clip] = []
    gaps_s: list[float] = []
    for stretch, language in enumerate(order):
        fitting = [c for c in of_language(language) if least_s <= c.duration_s <= most_s]
        left = [clip for clip in fitting if clip not in said]
        count = CLIPS_A_STRETCH[(number + stretch) % len(CLIPS_A_STRETCH)]
        gaps_s += [GAPS_S[(number + stretch) % len(GAPS_S)], *[WITHIN_S] * (count - 1)]
        said += draw.sample(left, count)
    name = f"{number + 1}: {'+'.join(order)}"
    return Spoken(joined(name, said, gaps_s[1:], 0.2), tuple(said))


def measure(ears: Ears, quick: bool) -> Told:
    spoken = recordings()[:: QUICK_EVERY if quick else 1]
    some = [each.recording for each in spoken]
    alone = [as_recording(clip) for clip in dict.fromkeys(c for s in spoken for c in s.clips)]
    return report(
        Found(
            spoken,
            [ears.served(some, "verbose_json"), ears.served(some, "json")],
            [ears.reference(some, multilingual=True), ears.reference(some)],
            ears.served(alone, "json"),
            ears.reference(alone),
        )
    )


def report(found: Found) -> Told:
    runs = [*found.reference, *found.served]
    recovered = {run.way: _recovered(found, run) for run in runs}
    names = [name for name in LANGUAGES if name in recovered[runs[0].way]]
    rows: list[list[Cell]] = []
    for run in runs:
        of_run = recovered[run.way]
        rows.append([run.way, *(100 * of_run[name].share for name in names), run.refused])
    columns = ["who", *(f"{name} words recovered %" for name in names), "refused"]
    verbose = found.served[0]
    aims = []
    for run in found.served:
        shares = {name: 100 * recovered[run.way][name].share for name in names}
        worst = min(shares, key=shares.__getitem__)
        what = f"mixed, {run.way}: words recovered in the worst language ({worst})"
        aims.append(at_least(what, shares[worst], AIM_RECOVERED, " %"))
    right, segments = _languages_right(found.spoken, verbose)
    share = 100 * right / max(segments, 1)
    aims.append(at_least("mixed: segments whose language is right", share, AIM_RECOVERED, " %"))
    return Told(
        tables=[
            Table(f"{len(found.spoken)} recordings of several languages", columns, rows),
            _segments_table(found.spoken, verbose),
            _recordings_table(found, verbose),
        ],
        aims=aims,
        raw=telling.raw([each.recording for each in found.spoken], runs),
        notes=[
            "Mixed: recovered are the words that the same recogniser hears of the clips alone, "
            "with their language named; one that is a little otherwise (0.7 of its letters) "
            "counts. A segment is held against the language that is spoken for most of it."
        ],
    )


def _recovered(found: Found, run: Run) -> Mapping[str, Recovered]:
    total: defaultdict[str, Recovered] = defaultdict(lambda: Recovered(0, 0))
    for spoken in found.spoken:
        for language, its in _of_one(found, run, spoken).items():
            total[language] += its
    return total


def _of_one(found: Found, run: Run, spoken: Spoken) -> Mapping[str, Recovered]:
    alone = found.alone(run)
    parts = [(clip.language, alone.heard[clip.name].text) for clip in spoken.clips]
    return by_language(run.heard[spoken.recording.name].text, parts)


def _expected(piece: Piece, parts: Sequence[Part]) -> str | None:
    """The language that is spoken for most of a segment; None where nothing is."""
    shared: defaultdict[str, float] = defaultdict(float)
    for part in parts:
        shared[part.language] += max(
            0.0, min(piece.end_s, part.end_s) - max(piece.start_s, part.start_s)
        )
    best = max(shared, key=shared.__getitem__)
    return best if shared[best] else None


def _languages_right(some: Sequence[Spoken], run: Run) -> tuple[int, int]:
    pairs = [
        (piece.language, _expected(piece, spoken.recording.parts))
        for spoken in some
        for piece in run.heard[spoken.recording.name].pieces
    ]
    return sum(told == expected for told, expected in pairs), len(pairs)


def _segments_table(some: Sequence[Spoken], run: Run) -> Table:
    pieces = [piece for spoken in some for piece in run.heard[spoken.recording.name].pieces]
    told = sum(piece.language is not None for piece in pieces)
    right, _ = _languages_right(some, run)
    columns = ["who", "segments", "that tell their language", "rightly"]
    return Table("The language of each segment", columns, [[run.way, len(pieces), told, right]])


def _recordings_table(found: Found, run: Run) -> Table:
    """The worst ones."""
    scored = []
    for spoken in found.spoken:
        of_one = _of_one(found, run, spoken)
        told = ", ".join(f"{name} {its.found}/{its.words}" for name, its in of_one.items())
        least = min(its.share for its in of_one.values())
        heard = run.heard[spoken.recording.name]
        scored.append((least, [spoken.recording.name, told, heard.refused or heard.text]))
    scored.sort(key=lambda pair: pair[0])
    rows: list[list[Cell]] = [[*row] for _, row in scored[: telling.SHOWN]]
    columns = ["recording", "words recovered", f"heard by {run.way}"]
    return Table("Recordings of several languages, the worst", columns, rows)
