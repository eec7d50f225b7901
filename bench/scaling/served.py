"""A real server with several ingress processes before one model that sleeps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import psutil
import uvloop
import yaml

from bench.scaling.cluster import Carried, Sleeper
from bench.serving import Config, Server, check, config_of, serving, sleeper
from load.connections import asker, connected, prepared
from load.figures import percentile
from load.steps import Length, Load, RealClock, Recording, Stepper
from tests.support.cluster.load import HEADERS, PATH, clip

NAME = "speaker"
AHEAD_S = 1.5  # of a load, that does not count


@dataclass(frozen=True)
class Served:
    """What a real server made of a load, and how busy the machine was."""

    ingresses: int
    gathers: bool
    load: Load
    carried: Carried
    ingress_ms: float  # processor time of a request
    busy_percent: float  # of all cores
    cores: int  # of the machine, which the callers share

    @classmethod
    def read(cls, content: dict[str, Any]) -> Self:
        """Read one from a file of results."""
        load, carried = Load(**content["load"]), Carried(**content["carried"])
        return cls(**{**content, "load": load, "carried": carried})


def config(model: Sleeper, ingresses: int, *, gathers: bool) -> Config:
    """Make a configuration; batches whose order is kept run alone."""
    policy = {
        "max_batch_size": model.rows,
        "max_queue_delay_ms": model.delay_ms,
        "max_queue_size": 4096,
        "preserve_ordering": not gathers,
    }
    models = {NAME: sleeper(base_ms=model.fixed_ms, item_ms=model.row_ms)}
    return config_of(models, {NAME: policy}, ingress={"replicas": ingresses})


def measure(model: Sleeper, ingresses: int, loads: Sequence[Load], seconds: float) -> list[Served]:
    """Load a server; where it has several ingresses, with batches that run alone, too."""
    with serving(config(model, ingresses, gathers=True)) as server:
        found = [_loaded(server, ingresses, load, seconds, gathers=True) for load in loads]
        if ingresses > 1:
            content = yaml.safe_load(server.running.config_path.read_text())
            alone = config(model, ingresses, gathers=False)
            content["applications"][0]["deployments"] = alone["applications"][0]["deployments"]
            server.running.deploy(content)
            found += [_loaded(server, ingresses, load, seconds, gathers=False) for load in loads]
    return found


def _loaded(server: Server, ingresses: int, load: Load, seconds: float, *, gathers: bool) -> Served:
    found = uvloop.run(_carried(server, load, seconds))
    served = Served(ingresses, gathers, load, *found, cores=len(os.sched_getaffinity(0)))
    print(served, flush=True)
    return served


async def _carried(server: Server, load: Load, seconds: float) -> tuple[Carried, float, float]:
    request = prepared(f"{server.url}{PATH}", content=clip(1), headers=HEADERS)
    async with connected(server.url) as connections:
        stepper = Stepper(asker(connections, [request]), RealClock())
        await stepper.run(Recording(load), Length(duration_s=AHEAD_S))
        before, spent_s, _ = server.statistics(NAME), _ingress_s(server), psutil.cpu_percent()
        recording = Recording(load)
        await stepper.run(recording, Length(duration_s=seconds))
        busy_percent, after_s = psutil.cpu_percent(), _ingress_s(server)
        after = server.statistics(NAME)
    check(recording)
    took_ms = sorted(outcome.latency_ms for outcome in recording.outcomes)
    answers = len(took_ms)
    carried = Carried(
        requests_s=answers / recording.elapsed_s,
        rows=(after["items"] - before["items"]) / (after["batches"] - before["batches"]),
        p50_ms=percentile(took_ms, 50),
        p95_ms=percentile(took_ms, 95),
    )
    return carried, 1000 * (after_s - spent_s) / answers, busy_percent


def _ingress_s(server: Server) -> float:
    return server.cpu_s()["Ingress"]
