"""The servers that are measured: Dragoman and its peers, with packages, command and protocol."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from bench.overhead import environments
from bench.overhead.protocols import BINARY, Protocol, base64_json, raw, tensors
from deployments.config.files import load
from deployments.serve.ports import free_port

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "bench" / "overhead.yaml"
SCRIPTS = Path(__file__).with_name("peers")
NUMPY = "numpy==2.4.6"
MOSEC = ("mosec==0.9.8", NUMPY)
TRITON = ("nvidia-pytriton==0.7.0",)
LITSERVE = ("litserve==0.2.19", NUMPY)
BENTOML = ("bentoml==1.4.40", NUMPY)
RAY = (f"ray=={version('ray')}",)
# Of no use here, and some of it would ask the network.
QUIET = {"BENTOML_DO_NOT_TRACK": "True", "RAY_USAGE_STATS_ENABLED": "0"}


@dataclass(frozen=True)
class Way:
    """One way to ask a server: a row of the tables."""

    label: str
    path: str
    protocol: Protocol


@dataclass(frozen=True)
class Start:
    """Say how a server is started, and where it answers."""

    command: Sequence[str]
    url: str
    folder: Path = SCRIPTS
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Peer:
    """A server that can be measured; ``prepare`` installs it where needed and may take minutes."""

    name: str
    packages: Sequence[str]  # beside what they need themselves
    ways: Sequence[Way]
    prepare: Callable[[], Start]  # raises NotToBeHad
    settings: str  # what was set beside batches of 32 and one instance, and why


def dragoman() -> Start:
    command = [sys.executable, "-m", "deployments.cli", "serve", "--config", str(CONFIG)]
    return Start(command, load(CONFIG).url, ROOT, os.environ)


def triton() -> Start:
    base, library_folder = environments.with_shared_library()
    python = environments.made("pytriton", TRITON, base)
    ports = [free_port() for _ in range(3)]
    environment = {**_environment(), "LD_LIBRARY_PATH": library_folder}
    return _script(python, "serve_pytriton.py", ports, environment)


def litserve() -> Start:
    python = environments.made("litserve", LITSERVE)
    return _script(python, "serve_litserve.py", [free_port()], _environment())


def mosec() -> Start:
    python = environments.made("mosec", MOSEC)
    port = free_port()
    command = [str(python), "serve_mosec.py", "--address", "127.0.0.1", "--port", str(port)]
    return Start([*command, "--log-level", "warning"], _local(port), SCRIPTS, _environment())


def bentoml() -> Start:
    python = environments.made("bentoml", BENTOML)
    port = free_port()
    command = [str(python), "-m", "bentoml", "serve", "serve_bentoml:Speaker"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    home = {"BENTOML_HOME": str(python.parents[1] / "home")}
    return Start(command, _local(port), SCRIPTS, {**_environment(), **home})


def ray_serve() -> Start:
    return _script(environments.own(), "serve_ray.py", [free_port()], _environment())


def _script(python: Path, name: str, ports: Sequence[int], environment: Mapping[str, str]) -> Start:
    """Start a peer's file that takes its ports as arguments, the one for HTTP first."""
    return Start([str(python), name, *map(str, ports)], _local(ports[0]), SCRIPTS, environment)


def _local(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _environment() -> dict[str, str]:
    return {**environments.foreign(), **QUIET}


BARE = raw({"Content-Type": BINARY})
OUR_RAW = raw({"Content-Type": "audio/pcm; rate=16000", "Accept": BINARY})
OUR_WAYS = (
    Way("Dragoman", "/v2/models/speaker/infer", tensors("AUDIO", "EMBEDDING")),
    Way("Dragoman, raw audio", "/v1/audio/embeddings", OUR_RAW),
)
REFERENCE = OUR_WAYS[0].label  # what the others are compared with
PEERS = (
    Peer("dragoman", RAY, OUR_WAYS, dragoman, "`bench/overhead.yaml`"),
    Peer(
        "mosec",
        MOSEC,
        (Way("mosec", "/inference", BARE),),
        mosec,
        "the plain `Worker` with bytes in and out; `max_wait_time` of 5 ms, its own queue of 1,024",
    ),
    Peer(
        "triton",
        TRITON,
        (Way("Triton (PyTriton)", "/v2/models/speaker/infer", tensors("audio", "embedding")),),
        triton,
        "the dynamic batcher with a queue delay of 5 ms",
    ),
    Peer(
        "litserve",
        LITSERVE,
        (Way("LitServe", "/predict", base64_json(lambda text: text)),),
        litserve,
        "`batch_timeout` of 5 ms, and `fast_queue`, which its documentation names for loads above "
        "100 requests/s; it takes JSON or forms only, so samples travel as base64",
    ),
    Peer(
        "bentoml",
        BENTOML,
        (Way("BentoML", "/embed", base64_json(lambda text: [text])),),
        bentoml,
        "adaptive batching with its own defaults; a batchable API takes JSON, so samples travel as "
        "base64, which is faster than its list of numbers",
    ),
    Peer(
        "ray",
        RAY,
        (Way("Ray Serve alone", "/", BARE),),
        ray_serve,
        "`@serve.batch` with a wait of 5 ms and `max_ongoing_requests` of 512, without access log",
    ),
)
