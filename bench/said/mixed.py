"""Part ``mixed``: recordings of two and three languages, none of them named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from bench.results import Aim, Cell, Table
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
from bench.said.telling import Told, examples

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

    def of_one(self, run: Run, spoken: Spoken) -> Mapping[str, Recovered]:
        alone = self.reference_alone if run in self.reference else self.served_alone
        parts = [(clip.language, alone.heard[clip.name].text) for clip in spoken.clips]
        return by_language(run.heard[spoken.recording.name].text, parts)

    def recovered(self, run: Run) -> Mapping[str, float]:
        """Return the words recovered of each language, in %."""
        total: defaultdict[str, Recovered] = defaultdict(Recovered)
        for spoken in self.spoken:
            for language, its in self.of_one(run, spoken).items():
                total[language] += its
        return {name: 100 * total[name].share for name in LANGUAGES if name in total}

    def languages(self, run: Run) -> list[tuple[str | None, str | None]]:
        """Pair the language that each segment tells with the one that is spoken."""
        return [
            (piece.language, _expected(piece, spoken.recording.parts))
            for spoken in self.spoken
            for piece in run.heard[spoken.recording.name].pieces
        ]


def recordings() -> list[Spoken]:
    """Make each two languages in both orders, and some threes."""
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
    shares = {run.way: found.recovered(run) for run in runs}
    names = [*shares[runs[0].way]]
    table = Table(
        f"{len(found.spoken)} recordings of several languages",
        ["who", *(f"{name} words recovered %" for name in names), "refused"],
        [[run.way, *(shares[run.way][name] for name in names), run.refused] for run in runs],
    )
    aims = []
    for run in found.served:
        of_run = shares[run.way]
        worst = min(of_run, key=of_run.__getitem__)
        what = f"mixed, {run.way}: words recovered in the worst language ({worst})"
        aims.append(Aim.at_least(what, of_run[worst], AIM_RECOVERED, " %"))
    verbose = found.served[0]
    told = found.languages(verbose)
    right = sum(language == expected for language, expected in told)
    share = 100 * right / max(len(told), 1)
    aims.append(Aim.at_least("mixed: segments whose language is right", share, AIM_RECOVERED, " %"))
    named = sum(language is not None for language, _ in told)
    columns = ["who", "segments", "that tell their language", "rightly"]
    segments: list[Cell] = [verbose.way, len(told), named, right]
    return Told(
        tables=[
            table,
            Table("The language of each segment", columns, [segments]),
            *examples(
                "Recordings of several languages, the worst",
                ["recording", "words recovered", f"heard by {verbose.way}"],
                _worst_first(found, verbose),
            ),
        ],
        aims=aims,
        raw=telling.raw([each.recording for each in found.spoken], runs),
        notes=[
            "Mixed: recovered are the words that the same recogniser hears of the clips alone, "
            "with their language named; one that is a little otherwise (0.7 of its letters) "
            "counts. A segment is held against the language that is spoken for most of it."
        ],
    )


def _expected(piece: Piece, parts: Sequence[Part]) -> str | None:
    """Find the language that is spoken for most of a segment; None where nothing is."""
    shared_s: defaultdict[str, float] = defaultdict(float)
    for part in parts:
        both_s = min(piece.end_s, part.end_s) - max(piece.start_s, part.start_s)
        shared_s[part.language] += max(0.0, both_s)
    best = max(shared_s, key=shared_s.__getitem__)
    return best if shared_s[best] else None


def _worst_first(found: Found, run: Run) -> list[list[Cell]]:
    scored: list[tuple[float, list[Cell]]] = []
    for spoken in found.spoken:
        of_one, heard = found.of_one(run, spoken), run.heard[spoken.recording.name]
        told = ", ".join(f"{name} {its.found}/{its.words}" for name, its in of_one.items())
        least = min(its.share for its in of_one.values())
        scored.append((least, [spoken.recording.name, told, heard.refused or heard.text]))
    return [row for _, row in sorted(scored, key=lambda pair: pair[0])]
