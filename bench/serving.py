"""The whole server with the default models for a bench: its counts and its processes' CPU time."""

from __future__ import annotations

import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import yaml
from prometheus_client.parser import text_string_to_metric_families

from deployments.config.files import load
from deployments.config.schema import AppConfig
from tests.support.server import ROOT, Running, config_on_a_free_port, running

CONFIG = ROOT / "serve_config.yaml"
REPLICA = re.compile(r"ray::ServeReplica:[^:]+:([\w-]+)")
COUNTS = (
    "nv_inference_count",
    "nv_inference_exec_count",
    "dragoman_batch_cost",
    "dragoman_batch_padding_cost",
)


@dataclass(frozen=True)
class Counts:
    """What one model has run since the server's start, or between two moments."""

    items: float
    batches: float
    cost: float  # of all batches, in seconds of audio or characters
    padding: float  # the part of it that was padding
    busy_s: float  # that its replicas ran batches

    def __sub__(self, before: Counts) -> Counts:
        return Counts(
            self.items - before.items,
            self.batches - before.batches,
            self.cost - before.cost,
            self.padding - before.padding,
            self.busy_s - before.busy_s,
        )

    @property
    def mean_batch(self) -> float:
        return self.items / self.batches if self.batches else 0.0

    @property
    def padding_share(self) -> float:
        return self.padding / self.cost if self.cost else 0.0


@dataclass(frozen=True)
class Server:
    """A warm server."""

    url: str
    models: AppConfig
    process: psutil.Process

    def counts(self, model: str) -> Counts:
        with urlopen(f"{self.url}/metrics", timeout=30) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        found = dict.fromkeys(COUNTS, 0.0)
        for sample in (sample for family in families for sample in family.samples):
            name = sample.name.removesuffix("_total")
            if name in found and sample.labels.get("model") == model:
                found[name] += sample.value
        with urlopen(f"{self.url}/v1/models/{model}", timeout=30) as answer:
            busy_s = json.load(answer)["statistics"]["busy_s"]
        items, batches, cost, padding = (found[name] for name in COUNTS)
        return Counts(items, batches, cost, padding, busy_s)

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds so far: of each model's replicas, ``Ingress`` and the rest."""
        spent: defaultdict[str, float] = defaultdict(float)
        for process in [self.process, *self.process.children(recursive=True)]:
            try:
                title, times = " ".join(process.cmdline()), process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            replica = REPLICA.match(title)
            name = replica[1] if replica else "rest of Ray"
            spent[name] += times.user + times.system
        return spent


@contextmanager
def default_server(
    replicas: Mapping[str, int] | None = None, only: Collection[str] | None = None
) -> Iterator[Server]:
    """``serve_config.yaml`` on a free port, for the length of a block.

    ``replicas`` are by model; with ``only`` it has these of its models alone.
    """
    config = yaml.safe_load(CONFIG.read_text())
    if only is not None:
        _keep(config["applications"][0], only)
    for name, count in (replicas or {}).items():
        config["applications"][0]["args"]["models"][name]["replicas"] = count
    with tempfile.TemporaryDirectory() as folder:
        path = config_on_a_free_port(Path(folder), config)
        with running(path) as server:
            yield _warm(server)


def _keep(application: dict[str, Any], models: Collection[str]) -> None:
    """Take the other models out of an application, with what is theirs."""
    args = application["args"]
    args["models"] = {name: args["models"][name] for name in models}
    args["aliases"] = {alias: name for alias, name in args["aliases"].items() if name in models}
    (ingress,) = application["deployments"]
    batching = ingress["user_config"]["batching"]
    ingress["user_config"]["batching"] = {name: batching[name] for name in models}


def _warm(server: Running) -> Server:
    args = load(server.config_path).applications[0].args
    return Server(server.url, args, psutil.Process(server.process.pid))
