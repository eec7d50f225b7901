"""A whole server for a bench: its configuration, its counts, its processes' CPU time, its load."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias
from urllib.request import urlopen

import psutil
import uvloop
import yaml
from prometheus_client.parser import text_string_to_metric_families

from deployments.config.files import load as load_config
from deployments.config.schema import AppConfig
from deployments.serve.cleanup_process import end_all
from load.connections import asker, connected
from load.figures import after, percentile
from load.steps import Length, Load, Outcome, RealClock, Recording, Stepper
from tests.support.fakes import SLEEP
from tests.support.server import ROOT, Running, config_on_a_free_port, start

Config: TypeAlias = dict[str, Any]
CONFIG = ROOT / "serve_config.yaml"
LOG_CHARS = 4000  # of a server that ended
REPLICA = re.compile(r"ray::ServeReplica:[^:]+:([\w-]+)")
COUNTS = {
    "nv_inference_count": "items",
    "nv_inference_exec_count": "batches",
    "dragoman_batch_cost": "cost",
    "dragoman_batch_padding_cost": "padding",
}


class BenchFailed(Exception):
    """A bench cannot measure: a server did not start, or did not answer. The message says why."""


# ---- configurations ----------------------------------------------------------------------


def default_config(
    only: Collection[str] | None = None,
    replicas: Mapping[str, int] | None = None,
    limits: Mapping[str, Any] | None = None,
) -> Config:
    """Read ``serve_config.yaml``; with ``only`` these of its models, ``replicas`` by model."""
    config: Config = yaml.safe_load(CONFIG.read_text())
    (application,) = config["applications"]
    args = application["args"]
    if only is not None:
        (ingress,) = application["deployments"]
        batching = ingress["user_config"]["batching"]
        args["models"] = {name: args["models"][name] for name in only}
        args["aliases"] = {alias: name for alias, name in args["aliases"].items() if name in only}
        ingress["user_config"]["batching"] = {name: batching[name] for name in only}
    for name, count in (replicas or {}).items():
        args["models"][name]["replicas"] = count
    args["limits"] |= limits or {}
    return config


def config_of(models: Config, batching: Config | None = None, **args: Any) -> Config:
    """Make a configuration of these models alone; ``args`` are limits, security and so on."""
    application = {
        "name": "dragoman",
        "route_prefix": "/",
        "import_path": "deployments.app:build",
        "args": {"models": models, **args},
        "deployments": [{"name": "Ingress", "user_config": {"batching": batching or {}}}],
    }
    return {
        "proxy_location": "Disabled",
        "logging_config": {"log_level": "WARNING", "enable_access_log": False},
        "applications": [application],
    }


def sleeper(replicas: int = 1, **options: float) -> Config:
    """Configure a model that only sleeps, such as ``base_ms=5``."""
    return {"engine": SLEEP, "replicas": replicas, "options": options}


# ---- a server ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Counts:
    """Hold what one model has run since the server's start, or between two moments."""

    items: float
    batches: float
    cost: float  # of all batches, in seconds of audio or characters
    padding: float  # the part of it that was padding
    busy_s: float  # that its replicas ran batches

    def __sub__(self, before: Counts) -> Counts:
        return Counts(
            *(getattr(self, each.name) - getattr(before, each.name) for each in fields(self))
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

    running: Running
    start_s: float

    @property
    def url(self) -> str:
        return self.running.url

    @property
    def models(self) -> AppConfig:
        return load_config(self.running.config_path).applications[0].args

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self.running.process.pid)

    def get(self, path: str) -> str:
        with urlopen(f"{self.url}{path}", timeout=60) as answer:
            content: bytes = answer.read()
        return content.decode()

    def counts(self, model: str) -> Counts:
        found = dict.fromkeys(COUNTS.values(), 0.0)
        for family in text_string_to_metric_families(self.get("/metrics")):
            for sample in family.samples:
                name = COUNTS.get(sample.name.removesuffix("_total"))
                if name is not None and sample.labels.get("model") == model:
                    found[name] += sample.value
        return Counts(**found, busy_s=self.statistics(model)["busy_s"])

    def statistics(self, model: str) -> dict[str, float]:
        """Ask for a model's ``items``, ``batches`` and ``busy_s`` alone, which costs little."""
        found: dict[str, float] = json.loads(self.get(f"/v1/models/{model}"))["statistics"]
        return found

    def processes(self) -> Iterator[tuple[str, psutil.Process]]:
        """List every process with its command line."""
        for process in [self.process, *self.process.children(recursive=True)]:
            try:
                yield " ".join(process.cmdline()), process
            except psutil.NoSuchProcess:
                continue

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds so far: of each model's replicas, ``Ingress`` and the rest."""
        spent: defaultdict[str, float] = defaultdict(float)
        for title, process in self.processes():
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            replica = REPLICA.match(title)
            spent[replica[1] if replica else "rest of Ray"] += times.user + times.system
        return spent


@contextmanager
def serving(config: Config) -> Iterator[Server]:
    """Run a server of this configuration on a free port, for the length of a block.

    Raises:
        BenchFailed: it did not start, or it ended by itself; the message is what it said.
    """
    others = set(psutil.Process().children(recursive=True))
    with tempfile.TemporaryDirectory() as folder:
        path = config_on_a_free_port(Path(folder), config)
        started_s = time.monotonic()
        try:
            server = start(path)
        except AssertionError as error:
            raise BenchFailed(str(error)) from error
        except BaseException:
            _end_but(others)
            raise
        try:
            yield Server(server, time.monotonic() - started_s)
        except Exception as error:
            if server.process.poll() is None:
                raise
            said = "".join(server.log)[-LOG_CHARS:]
            raise BenchFailed(f"the server ended: {error}; its log ends:\n{said}") from error
        finally:
            if server.process.poll() is None:
                launcher = psutil.Process(server.process.pid)
                family = [launcher, *launcher.children(recursive=True)]
                with suppress(subprocess.TimeoutExpired):
                    server.stop()
                end_all([process for process in family if process.is_running()])


def _end_but(others: Collection[psutil.Process]) -> None:
    """End what is left below this process; ``others`` were there before."""
    end_all([c for c in psutil.Process().children(recursive=True) if c not in others])


# ---- its load ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Loaded:
    """Hold what a closed loop came to, once every caller was busy."""

    answers: Sequence[Outcome]
    duration_s: float
    cpu_s: float  # of the callers themselves, over the whole load
    whole_s: float  # with the time before the count began
    all_answers: int  # with those before the count began

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.answers) / self.duration_s

    @property
    def took_s(self) -> list[float]:
        return [answer.latency_ms / 1000 for answer in self.answers]

    def percentile_ms(self, percent: float) -> float:
        return percentile(sorted(answer.latency_ms for answer in self.answers), percent)


def load(url: str, requests: Sequence[bytes], callers: int, counted: int, ahead: int = 0) -> Loaded:
    """Send the requests in turn from so many callers, over raw connections.

    Args:
        url: of the server.
        requests: made by ``load.connections.prepared``.
        callers: each with its next request as soon as it has its answer.
        counted: answers that are counted,
        ahead: after so many that are not.

    Raises:
        BenchFailed: an answer was none; the message says what came.
    """
    return uvloop.run(load_in_loop(url, requests, callers, counted, ahead))


async def load_in_loop(
    url: str, requests: Sequence[bytes], callers: int, counted: int, ahead: int = 0
) -> Loaded:
    """Do what ``load`` does, for who has an event loop."""
    before_s, recording = time.process_time(), Recording(Load("closed", callers))
    async with connected(url) as connections:
        stepper = Stepper(asker(connections, requests), RealClock())
        await stepper.run(recording, Length(answers=ahead + counted))
    check(recording)
    kept = after(recording, ahead)
    return Loaded(
        answers=kept.outcomes,
        duration_s=kept.elapsed_s,
        cpu_s=time.process_time() - before_s,
        whole_s=recording.outcomes[-1].ended_s,
        all_answers=len(recording.outcomes),
    )


def check(recording: Recording) -> None:
    """Raise what the first request that failed was told."""
    for outcome in recording.outcomes:
        if outcome.failure is not None:
            raise BenchFailed(f"{outcome.failure.kind}: {outcome.failure.message}")
