"""Part ``clips``: every prompt alone, in both forms, with its language named and without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.results import Cell, Table
from bench.said import telling
from bench.said.hearing import Ears, Run
from bench.said.recordings import Recording, as_recording, clips
from bench.said.telling import Told, at_least, at_most, languages, twice, wer_percent

QUICK_EVERY = 6
CALLERS = 8  # who share batches
AIM_WER, AIM_WER_LANGUAGE, AIM_FORMS = 0.2, 0.5, 0.5  # points
AIM_CPU = 0.35  # of faster-whisper's


@dataclass(frozen=True)
class Found:
    """What each run heard of the clips. ``crowded`` has many callers at once."""

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
    return Told(
        tables=[_table(found), *_twice_table(found)],
        aims=_aims(found),
        raw=telling.raw(found.recordings, runs),
        notes=[
            "Clips: CPU seconds are of the ingress, the detector and the recogniser together, and "
            "of faster-whisper's process, which hears one clip at a time; so does the server, but "
            f"where {CALLERS} callers are named. Said twice is a text whose parts are nearly equal "
            "or which repeats three words or more back to back, where neither the script nor "
            "faster-whisper does. The scripts differ from what some speakers say.",
        ],
    )


def _table(found: Found) -> Table:
    names = languages(found.recordings)
    rows = [_row(found, run, names) for run in (found.reference, *found.served)]
    columns = ["who", "said twice", "WER %", *(f"WER % {name}" for name in names)]
    columns += ["CPU s", "CPU, of faster-whisper's", "language right %", "refused"]
    return Table(f"{len(found.recordings)} clips", columns, rows)


def _row(found: Found, run: Run, names: Sequence[str]) -> list[Cell]:
    beside = None if run is found.reference else found.reference
    row: list[Cell] = [run.way, len(twice(found.recordings, run, beside))]
    row += [wer_percent(found.recordings, run, name) for name in (None, *names)]
    row += [run.cpu_s, run.cpu_s / found.reference.cpu_s]
    return [*row, _right(found, run), run.refused]


def _right(found: Found, run: Run) -> float | None:
    """The share of languages found right, where nobody named them."""
    if run is found.reference:
        told: Sequence[str | None] = found.detected
    elif run is found.unnamed:
        told = [run.heard[each.name].language for each in found.recordings]
    else:
        return None
    pairs = zip(told, found.recordings, strict=True)
    return 100 * sum(one == each.language for one, each in pairs) / len(found.recordings)


def _twice_table(found: Found) -> list[Table]:
    rows: list[list[Cell]] = [
        [run.way, each.name, run.heard[each.name].text]
        for run in found.served
        for each, _ in twice(found.recordings, run, found.reference)
    ]
    if not rows:
        return []
    return [Table("Clips said twice, some", ["who", "clip", "heard"], rows[: telling.SHOWN])]


def _aims(found: Found) -> list[telling.Aim]:
    some, reference = found.recordings, found.reference
    doubled = sum(len(twice(some, run, reference)) for run in found.served)
    aims = [at_most(f"clips said twice, of {len(found.served) * len(some)} answers", doubled, 0)]
    for run in (found.json, found.verbose):
        worse = {
            name: wer_percent(some, run, name) - wer_percent(some, reference, name)
            for name in (None, *languages(some))
        }
        aims.append(
            at_most(f"clips, {run.way}: WER over faster-whisper's", worse[None], AIM_WER, " points")
        )
        by_name = {name: points for name, points in worse.items() if name}
        worst = max(by_name, key=by_name.__getitem__)
        what = f"clips, {run.way}: the same in the worst language ({worst})"
        aims.append(at_most(what, by_name[worst], AIM_WER_LANGUAGE, " points"))
        ratio = run.cpu_s / reference.cpu_s
        aims.append(at_most(f"clips, {run.way}: CPU of faster-whisper's", ratio, AIM_CPU))
    forms = abs(wer_percent(some, found.json) - wer_percent(some, found.verbose))
    aims.append(at_most("clips: WER of json and verbose_json apart", forms, AIM_FORMS, " points"))
    theirs, ours = _right(found, reference), _right(found, found.unnamed)
    assert theirs is not None
    assert ours is not None
    aims.append(at_least("clips: languages found right, as by faster-whisper", ours, theirs, " %"))
    return aims
