"""What is recognised through the whole server, beside faster-whisper on the same weights.

    PYTHONPATH=client python -m bench.said [--quick] [--part PART ...] [--folder FOLDER]

One ingress, one detector and one recogniser of ``serve_config.yaml`` answer over HTTP;
``WhisperModel.transcribe`` hears the same recordings in the same run. Some parts of speech are said
to be heard as often as they are said, no word lost, and in their own language.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.results import FOLDER, Results, save, show
from bench.said import junk, length, mixed, paused, repeated, short
from bench.said.hearing import Ears, ears
from bench.said.telling import Told, aims_table

Measure = Callable[[Ears, bool], Told]
PARTS: dict[str, Measure] = {
    "clips": short.measure,
    "repetitions": repeated.measure,
    "long": length.measure,
    "pauses": paused.measure,
    "mixed": mixed.measure,
    "junk": junk.measure,
}


def main() -> None:
    args = arguments()
    told: dict[str, Told] = {}
    with ears() as opened:
        for name in args.part:
            print(f"{name}:", flush=True)
            told[name] = PARTS[name](opened, args.quick)
            show(told[name].tables)
            path = save(results(told), args.folder)  # what is measured stays if a later part fails
    found = results(told)
    show(found.tables[:1], found.findings)
    print(f"wrote {path}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a sample of each part")
    parser.add_argument("--part", choices=PARTS, nargs="+", default=[*PARTS], help="only these")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the figures")
    return parser.parse_args()


def results(told: dict[str, Told]) -> Results:
    aims = [aim for part in told.values() for aim in part.aims]
    missed = [aim for aim in aims if not aim.met]
    findings = [f"{len(aims) - len(missed)} of {len(aims)} aims are met."]
    findings += [f"Missed: {aim.what}: {aim.measured} ({aim.aim})." for aim in missed]
    raw: dict[str, Any] = {name: part.raw for name, part in told.items()}
    return Results(
        name="said",
        title="What is recognised",
        findings=findings,
        tables=[aims_table(aims), *(table for part in told.values() for table in part.tables)],
        notes=[note for part in told.values() for note in part.notes],
        raw=raw,
    )


if __name__ == "__main__":
    main()
