"""Recognition through the whole server, beside faster-whisper on the same weights.

    PYTHONPATH=client python -m bench.said [--quick] [--part PART ...] [--folder FOLDER]

One ingress, one detector and one recogniser of ``serve_config.yaml`` answer over HTTP;
``WhisperModel.transcribe`` hears the same recordings in the same run. Some parts of speech are said
to be heard as often as they are said, no word lost, and in their own language.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from bench.command import flag, run, some
from bench.results import Results, Table, save, show
from bench.said import junk, length, mixed, paused, repeated, short
from bench.said.hearing import Ears, ears
from bench.said.telling import Told

Measure = Callable[[Ears, bool], Told]
PARTS: dict[str, Measure] = {
    "clips": short.measure,
    "repetitions": repeated.measure,
    "long": length.measure,
    "pauses": paused.measure,
    "mixed": mixed.measure,
    "junk": junk.measure,
}


def bench(args: argparse.Namespace) -> Results:
    told: dict[str, Told] = {}
    with ears() as opened:
        for name in args.part:
            print(f"{name}:", flush=True)
            told[name] = PARTS[name](opened, args.quick)
            show(told[name].tables)
            save(results(told), args.folder)  # what is measured stays if a later part fails
    return results(told)


def results(told: dict[str, Told]) -> Results:
    aims = [aim for part in told.values() for aim in part.aims]
    missed = [aim for aim in aims if not aim.met]
    findings = [f"{len(aims) - len(missed)} of {len(aims)} aims are met."]
    findings += [f"Missed: {aim.what}: {aim.measured} ({aim.aim})." for aim in missed]
    aims_table = Table("Aims", ["what", "measured", "aim", "met"], [aim.row for aim in aims])
    return Results(
        name="said",
        title="What is recognised",
        findings=findings,
        tables=[aims_table, *(table for part in told.values() for table in part.tables)],
        notes=[note for part in told.values() for note in part.notes],
        raw={name: part.raw for name, part in told.items()},
    )


if __name__ == "__main__":
    run(__doc__, bench, {"quick": flag("a sample of each part"), "part": some(PARTS)})
