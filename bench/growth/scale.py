"""Memory and the time to warm against the number of models, and of replicas of one.

The models only sleep: what grows is the server's own cost. The default configuration with its
real weights stands beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.growth.configs import Config, config_of, default_config, serving
from bench.growth.memory import ALL_KINDS, RAY, Held, held
from bench.results import Cell, Chart, Series, Table
from tests.support.fakes import SLEEP

MODELS = (1, 2, 4, 8)
REPLICAS = (2, 4)  # of one model; one of one is in MODELS
REAL = "the default, real weights"
QUICK_MODELS, QUICK_REPLICAS = (1, 4), (4,)


@dataclass(frozen=True)
class Scaled:
    """One server, warm and idle."""

    name: str
    models: int
    replicas: int  # of each
    start_s: float
    held: dict[str, Held]

    @property
    def total(self) -> Held:
        return sum(self.held.values(), Held())


def measure(quick: bool) -> list[Scaled]:
    """One server after another, and the default configuration last."""
    models, replicas = (QUICK_MODELS, QUICK_REPLICAS) if quick else (MODELS, REPLICAS)
    found = [_one(f"{count} x 1 replica", sleepers(count), count, 1) for count in models]
    found += [_one(f"1 x {count} replicas", sleepers(1, count), 1, count) for count in replicas]
    if not quick:
        config = default_config()
        count = len(config["applications"][0]["args"]["models"])
        found.append(_one(REAL, config, count, 1))
    return found


def sleepers(models: int, replicas: int = 1) -> Config:
    """So many models that only sleep."""
    sleeper = {"engine": SLEEP, "replicas": replicas}
    return config_of({f"m{number}": dict(sleeper) for number in range(1, models + 1)})


def _one(name: str, config: Config, models: int, replicas: int) -> Scaled:
    with serving(config) as started:
        scaled = Scaled(name, models, replicas, started.start_s, held(started.server))
    print(f"{name}: {scaled.start_s:.1f} s to warm, {scaled.total.pss_mb:.0f} MB PSS", flush=True)
    return scaled


def table(found: Sequence[Scaled]) -> Table:
    columns = ["models x replicas", "s to warm", "processes", "PSS MB", "USS MB"]
    rows: list[list[Cell]] = []
    for each in found:
        total = each.total
        kinds: list[Cell] = [round(each.held[kind].pss_mb) for kind in ALL_KINDS]
        rows.append(
            [
                each.name,
                round(each.start_s, 1),
                total.processes,
                round(total.pss_mb),
                round(total.uss_mb),
                *kinds,
            ]
        )
    return Table(
        "Memory and start against models and replicas; the last columns are PSS in MB",
        [*columns, *ALL_KINDS],
        rows,
    )


def _sleepers_of_one_replica(found: Sequence[Scaled]) -> list[Scaled]:
    return [each for each in found if each.replicas == 1 and each.name != REAL]


def chart(found: Sequence[Scaled]) -> Chart:
    by_models = _sleepers_of_one_replica(found)
    x = [float(each.models) for each in by_models]
    return Chart(
        "Memory of the whole server against its models",
        "models that only sleep",
        "PSS, MB",
        [
            Series("all", x, [each.total.pss_mb for each in by_models]),
            *(
                Series(kind, x, [each.held[kind].pss_mb for each in by_models])
                for kind in ("model replicas", "ingress", RAY)
            ),
        ],
    )


def findings(found: Sequence[Scaled]) -> list[str]:
    by_models = _sleepers_of_one_replica(found)
    by_replicas = [by_models[0], *(each for each in found if each.replicas > 1)]
    first, last = by_models[0], by_models[-1]
    added = last.models - first.models
    most = by_replicas[-1]
    return [
        f"{last.models} models hold {last.total.pss_mb / first.total.pss_mb:.2f} times the "
        f"memory of {first.models} ({(last.total.pss_mb - first.total.pss_mb) / added:.0f} MB "
        f"PSS each more) and are warm after {last.start_s / first.start_s:.2f} times the time "
        f"({(last.start_s - first.start_s) / added:.1f} s each more).",
        f"{most.replicas} replicas of one model hold "
        f"{most.total.pss_mb / first.total.pss_mb:.2f} times the memory of one, and are warm "
        f"after {most.start_s / first.start_s:.2f} times the time.",
    ]
