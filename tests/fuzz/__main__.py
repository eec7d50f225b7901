"""Try damaged input on every target: ``python -m tests.fuzz --examples 2000``.

Each target has a process of its own, so that a crash of a library in C is counted, too. What a
target was given last lies in a file, which is named where its process did not end well.
"""

from __future__ import annotations

import argparse
import json
import pickle
import random
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase

from tests.fuzz.targets import BY_NAME, TARGETS, Target

SLOW_S = 20.0  # an input that takes longer is a fault, too
ROOT = str(Path(__file__).parents[2]) + "/"
MOST_SHOWN = 9  # faults of one target


@dataclass
class Tally:
    """What became of one target's inputs."""

    inputs: int = 0
    taken: int = 0
    crashes: int = 0
    wrong: int = 0  # a 5xx, or a refusal that does not say of what
    slow: int = 0
    slowest_s: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        return not (self.crashes or self.wrong or self.slow)


def fuzz(target: Target, examples: int, seed: int, last: Path) -> Tally:
    """Give a target so many inputs; each lies in ``last`` while it is tried."""
    tally, faults = Tally(), Counter[str]()

    def one(example: Any) -> None:
        last.write_bytes(pickle.dumps(example))
        began = time.monotonic()
        try:
            tally.taken += target.run(example)
        except AssertionError as error:
            tally.wrong += 1
            faults[str(error)[:300]] += 1
        except Exception as error:
            tally.crashes += 1
            faults[_place_of(error)] += 1
        took_s = time.monotonic() - began
        tally.inputs += 1
        tally.slow += took_s > SLOW_S
        tally.slowest_s = max(tally.slowest_s, took_s)

    settings = hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    hypothesis.seed(seed)(settings(hypothesis.given(target.examples())(one)))()
    tally.faults = dict(faults.most_common(MOST_SHOWN))
    return tally


def _place_of(error: Exception) -> str:
    """The kind of an error, and the last place in the project's own files that it passed."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(ROOT)]
    where = f"{frames[-1].filename.removeprefix(ROOT)}:{frames[-1].lineno}"
    return f"{type(error).__name__} at {where}"


def apart(target: Target, examples: int, seed: int, folder: Path) -> Tally:
    """Fuzz a target in a process of its own."""
    last = folder / f"{target.name}.pickle"
    command = [sys.executable, "-m", "tests.fuzz", "--only", target.name, "--here", str(last)]
    command += ["--examples", str(examples), "--seed", str(seed)]
    said = last.with_suffix(".log")
    with said.open("w") as log:
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, text=True, check=False)
    if ended.returncode == 0:
        return Tally(**json.loads(ended.stdout.splitlines()[-1]))
    why = f"the process ended with {ended.returncode}; see {last} and {said}"
    return Tally(crashes=1, faults={why: 1})


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=2000, help="inputs of each target")
    parser.add_argument(
        "--seed", type=int, default=None, help="of all inputs; else another each run"
    )
    parser.add_argument("--only", choices=sorted(BY_NAME), help="one target")
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    seed = random.randrange(2**32) if asked.seed is None else asked.seed
    if asked.here is not None:
        print(json.dumps(asdict(fuzz(BY_NAME[asked.only], asked.examples, seed, asked.here))))
        return 0
    targets = [BY_NAME[asked.only]] if asked.only else list(TARGETS)
    folder = Path(tempfile.mkdtemp(prefix="dragoman-fuzz-"))
    print(f"{asked.examples} inputs a target, seed {seed}\n")
    print("| target | inputs | taken | crashes | 5xx, vague | over 20 s | slowest s |")
    print("|---|---|---|---|---|---|---|", flush=True)
    tallies = []
    for target in targets:
        tally = apart(target, asked.examples, seed, folder)
        tallies.append(tally)
        print(
            f"| {target.name} | {tally.inputs} | {tally.taken} | {tally.crashes} | {tally.wrong} "
            f"| {tally.slow} | {tally.slowest_s:.2f} |",
            flush=True,
        )
    for target, tally in zip(targets, tallies, strict=True):
        for fault, count in tally.faults.items():
            print(f"\n{target.name}, {count} times: {fault}")
    return int(not all(tally.is_clean for tally in tallies))


if __name__ == "__main__":
    sys.exit(main())
