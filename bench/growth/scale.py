"""Memory and the time to warm against the number of models, and of replicas of one.

The models only sleep: what grows is the server's own cost. The default configuration with its
real weights stands beside them.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from bench.memory import ALL_KINDS, INGRESS, RAY, REPLICAS, Held, held
from bench.results import Cell, Chart, Results, Series, Table
from bench.serving import Config, config_of, default_config, serving, sleeper

MODELS, OF_ONE_MODEL = (1, 2, 4, 8), (2, 4)  # numbers of models, and of replicas
QUICK_MODELS, QUICK_OF_ONE_MODEL = (1, 4), (4,)
REAL = "the default, real weights"
NOTE = (
    "PSS shares a page's memory among the processes that hold it, USS counts a process's own "
    "pages alone."
)


@dataclass(frozen=True)
class Scaled:
    """One server, warm and idle."""

    name: str
    models: int
    replicas: int  # of each
    start_s: float
    held: Mapping[str, Held]

    @property
    def total(self) -> Held:
        return sum(self.held.values(), Held())

    def pss_mb(self, kind: str) -> Cell:
        return round(self.held[kind].pss_mb)


def measure(args: argparse.Namespace) -> Results:
    """Start one server after another, and the default configuration last."""
    models, replicas = (QUICK_MODELS, QUICK_OF_ONE_MODEL) if args.quick else (MODELS, OF_ONE_MODEL)
    found = [_one(f"{count} x 1 replica", sleepers(count), count, 1) for count in models]
    found += [_one(f"1 x {count} replicas", sleepers(1, count), 1, count) for count in replicas]
    if not args.quick:
        config = default_config()
        count = len(config["applications"][0]["args"]["models"])
        found.append(_one(REAL, config, count, 1))
    return results(found)


def sleepers(models: int, replicas: int = 1) -> Config:
    return config_of({f"m{number}": sleeper(replicas) for number in range(1, models + 1)})


def _one(name: str, config: Config, models: int, replicas: int) -> Scaled:
    with serving(config) as server:
        scaled = Scaled(name, models, replicas, server.start_s, held(server))
    print(f"{name}: {scaled.start_s:.1f} s to warm, {scaled.total.pss_mb:.0f} MB PSS", flush=True)
    return scaled


def results(found: Sequence[Scaled]) -> Results:
    by_models = [each for each in found if each.replicas == 1 and each.name != REAL]
    kinds = {kind: partial(Scaled.pss_mb, kind=kind) for kind in ALL_KINDS}
    x = [float(each.models) for each in by_models]
    lines = {"all": [each.total.pss_mb for each in by_models]} | {
        kind: [each.held[kind].pss_mb for each in by_models] for kind in (REPLICAS, INGRESS, RAY)
    }
    return Results(
        name="scaled",
        title="Scale",
        findings=findings(by_models, [each for each in found if each.replicas > 1]),
        tables=[
            Table.of(
                "Memory and start against models and replicas; the last columns are PSS in MB",
                found,
                {
                    "models x replicas": lambda each: each.name,
                    "s to warm": lambda each: round(each.start_s, 1),
                    "processes": lambda each: each.total.processes,
                    "PSS MB": lambda each: round(each.total.pss_mb),
                    "USS MB": lambda each: round(each.total.uss_mb),
                    **kinds,
                },
            )
        ],
        charts=[
            Chart(
                "Memory of the whole server against its models",
                "models that only sleep",
                "PSS, MB",
                [Series(name, x, line) for name, line in lines.items()],
            )
        ],
        notes=[NOTE],
        raw={"steps": [asdict(each) for each in found]},
    )


def findings(by_models: Sequence[Scaled], by_replicas: Sequence[Scaled]) -> list[str]:
    first, last, most = by_models[0], by_models[-1], by_replicas[-1]
    added = last.models - first.models
    memory, start = last.total.pss_mb - first.total.pss_mb, last.start_s - first.start_s

    def times(one: Scaled) -> tuple[str, str]:
        memory_times = one.total.pss_mb / first.total.pss_mb
        return f"{memory_times:.2f}", f"{one.start_s / first.start_s:.2f}"

    return [
        "{0} models hold {2} times the memory of {1} ({4:.0f} MB PSS each more) and are warm after "
        "{3} times the time ({5:.1f} s each more).".format(
            last.models, first.models, *times(last), memory / added, start / added
        ),
        "{} replicas of one model hold {} times the memory of one, and are warm after {} times "
        "the time.".format(most.replicas, *times(most)),
    ]
