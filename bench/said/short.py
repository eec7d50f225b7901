"""Part ``clips``: every prompt alone, in both forms, with its language named and without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from bench.results import Aim, Table
from bench.said import telling
from bench.said.hearing import Ears, Run
from bench.said.recordings import Recording, as_recording, clips
from bench.said.telling import Told, examples, languages, twice, wer_percent

QUICK_EVERY = 6
CALLERS = 8  # who share batches
AIM_WER, AIM_WER_LANGUAGE, AIM_FORMS = 0.2, 0.5, 0.5  # points
AIM_CPU = 0.35  # of faster-whisper's


@dataclass(frozen=True)
class Found:
    """The runs over the clips. ``crowded`` has many callers at once."""

    recordings: Sequence[Recording]
    reference: Run
    detected: Sequence[str]  # by faster-whisper
    json: Run
    verbose: Run
    crowded: Run
    unnamed: Run  # verbose_json, which tells the language
    unnamed_json: Run

    @property
    def served(self) -> tuple[Run, ...]:
        return (self.json, self.verbose, self.crowded, self.unnamed, self.unnamed_json)

    def twice(self, run: Run) -> list[Recording]:
        beside = None if run is self.reference else self.reference
        return [recording for recording, _ in twice(self.recordings, run, beside)]

    def wer(self, run: Run, language: str | None = None) -> float:
        return wer_percent(self.recordings, run, language)

    def worse(self, run: Run, language: str | None = None) -> float:
        return self.wer(run, language) - self.wer(self.reference, language)

    def cpu_ratio(self, run: Run) -> float:
        return run.cpu_s / self.reference.cpu_s

    def right(self, run: Run) -> float | None:
        """Return the share of languages found right, where nobody named them."""
        told: Sequence[str | None] = self.detected
        if run is self.unnamed:
            told = [run.heard[each.name].language for each in self.recordings]
        elif run is not self.reference:
            return None
        pairs = zip(told, self.recordings, strict=True)
        return 100 * sum(one == each.language for one, each in pairs) / len(self.recordings)


def measure(ears: Ears, quick: bool) -> Told:
    some = [as_recording(clip) for clip in clips()[:: QUICK_EVERY if quick else 1]]
    found = Found(
        recordings=some,
        reference=ears.reference(some),
        detected=ears.detected(some),
        json=ears.served(some, "json"),
        verbose=ears.served(some, "verbose_json"),
        crowded=ears.served(some, "json", callers=CALLERS),
        unnamed=ears.served(some, "verbose_json", named=False),
        unnamed_json=ears.served(some, "json", named=False),
    )
    return report(found)


def report(found: Found) -> Told:
    runs = [found.reference, *found.served]
    table = Table.of(
        f"{len(found.recordings)} clips",
        runs,
        {
            "who": lambda run: run.way,
            "said twice": lambda run: len(found.twice(run)),
            "WER %": found.wer,
            **{
                f"WER % {name}": partial(found.wer, language=name)
                for name in languages(found.recordings)
            },
            "CPU s": lambda run: run.cpu_s,
            "CPU, of faster-whisper's": found.cpu_ratio,
            "language right %": found.right,
            "refused": lambda run: run.refused,
        },
    )
    doubled = [
        [run.way, each.name, run.heard[each.name].text]
        for run in found.served
        for each in found.twice(run)
    ]
    return Told(
        tables=[table, *examples("Clips said twice, some", ["who", "clip", "heard"], doubled)],
        aims=_aims(found, len(doubled)),
        raw=telling.raw(found.recordings, runs),
        notes=[
            "Clips: CPU seconds are of the ingress, the detector and the recogniser together, and "
            "of faster-whisper's process, which hears one clip at a time; so does the server, but "
            f"where {CALLERS} callers are named. Said twice is a text whose parts are nearly equal "
            "or which repeats three words or more back to back, where neither the script nor "
            "faster-whisper does. The scripts differ from what some speakers say.",
        ],
    )


def _aims(found: Found, doubled: int) -> list[Aim]:
    answers = len(found.served) * len(found.recordings)
    aims = [Aim.at_most(f"clips said twice, of {answers} answers", doubled, 0)]
    for run in (found.json, found.verbose):
        by_name = {name: found.worse(run, name) for name in languages(found.recordings)}
        worst = max(by_name, key=by_name.__getitem__)
        what = f"clips, {run.way}"
        over, same = f"{what}: WER over faster-whisper's", f"{what}: the same in the worst language"
        aims += [
            Aim.at_most(over, found.worse(run), AIM_WER, " points"),
            Aim.at_most(f"{same} ({worst})", by_name[worst], AIM_WER_LANGUAGE, " points"),
            Aim.at_most(f"{what}: CPU of faster-whisper's", found.cpu_ratio(run), AIM_CPU),
        ]
    forms = abs(found.wer(found.json) - found.wer(found.verbose))
    aims.append(
        Aim.at_most("clips: WER of json and verbose_json apart", forms, AIM_FORMS, " points")
    )
    theirs, ours = found.right(found.reference), found.right(found.unnamed)
    assert theirs is not None
    assert ours is not None
    what = "clips: languages found right, as by faster-whisper"
    return [*aims, Aim.at_least(what, ours, theirs, " %")]
