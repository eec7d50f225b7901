"""Live sessions: lag, words and cost with more and more of them, and WhisperLiveKit beside.

    python -m bench.live [--only PART ...] [--quick]

About 40 minutes. Each part is written once it is measured, and ``--only`` measures some anew and
keeps the others, so that a run can go on where it ended. ``--quick``: one minute at medium with 1
and 8 sessions. It needs PyPI, for environments of its own.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bench.command import flag, run, some
from bench.live.parts import NAMES, QUICK, run_parts
from bench.live.report import results
from bench.live.sessions import Line, from_raw
from bench.results import Results, save

NAME = "live.json"


def kept(folder: Path | None) -> dict[str, list[Line]]:
    """Return the parts that were measured before."""
    path = None if folder is None else folder / NAME
    if path is None or not path.exists():
        return {}
    parts = json.loads(path.read_text())["raw"]["parts"]
    return {name: from_raw(lines) for name, lines in parts.items()}


def bench(args: argparse.Namespace) -> Results:
    parts = kept(args.folder)
    names = [name for name in args.only if not args.quick or name in QUICK]
    for name, lines in run_parts(names, args.quick):
        parts[name] = lines
        ordered = {each: parts[each] for each in NAMES if each in parts}
        save(results(ordered), args.folder)
    return results({each: parts[each] for each in NAMES if each in parts})


if __name__ == "__main__":
    run(__doc__, bench, {"only": some(NAMES), "quick": flag("one minute with 1 and 8 sessions")})
