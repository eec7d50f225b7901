"""A Ray cluster of three nodes with a server on it, and what may happen to either."""

from __future__ import annotations

import contextlib
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
import yaml

from deployments.config.environment import SETTINGS, with_libraries
from tests.support.cluster.network import Network
from tests.support.cluster.node import Node
from tests.support.cluster.redis import Redis

NODES = 3
GCS_PORT, DASHBOARD_PORT = 6379, 8265
PORT = 8000  # of every ingress, each at the address of its node
CPUS = 1  # a number for Ray's scheduler, which starts as many workers before they are needed
OBJECT_STORE_BYTES = 100 << 20
READY_S = 200.0
CONFIG = "/tmp/serve_config.yaml"
NEEDED = ("ip", "unshare", "nsenter", "redis-server", "nginx")
# What Ray gives up a silent node after. By its defaults that takes half a minute.
HEALTH = {
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "4",
}


class Cluster:
    """Nodes of Ray on a network of their own; the first is the head."""

    def __init__(self) -> None:
        if missing := [tool for tool in NEEDED if shutil.which(tool) is None]:
            raise RuntimeError(f"{', '.join(missing)} missing: `make cluster-tests` installs them")
        self._token = secrets.token_hex(32)
        self.network = Network()
        self.redis = Redis(self.network.host)
        self.nodes: list[Node] = []
        self._raylets: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def head(self) -> Node:
        return self.nodes[0]

    @property
    def address(self) -> str:
        """The cluster's address, as RAY_ADDRESS."""
        return f"{self.head.address}:{GCS_PORT}"

    @property
    def urls(self) -> list[str]:
        """Where the ingress of each node answers."""
        return [f"http://{node.address}:{PORT}" for node in self.nodes]

    def environment(self) -> dict[str, str]:
        """The environment of Ray's processes and of commands, on every node."""
        own = {"RAY_AUTH_TOKEN": self._token, "RAY_external_storage_namespace": "dragoman"}
        store = {"RAY_REDIS_ADDRESS": self.redis.address, "RAY_REDIS_PASSWORD": self.redis.password}
        found = {**SETTINGS, **HEALTH, **own, **store, "RAY_ENABLE_RECORD_ACTOR_TASK_LOGGING": "0"}
        return with_libraries(found)

    # ---- life ----------------------------------------------------------------------------

    def start(self, nodes: int) -> None:
        """Start the head and then the others, which are all there on return."""
        for number in range(nodes):
            self.nodes.append(Node(self.network, number))
            self.start_ray(number)
            if number == 0:
                self.until_joined()
        self.until_joined()

    def start_ray(self, number: int) -> None:
        """Keep Ray running on a node, as the head or by joining: a supervisor starts it again."""
        node = self.nodes[number]
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block"]
        command += [f"--node-ip-address={node.address}", f"--num-cpus={CPUS}"]
        command += [f"--object-store-memory={OBJECT_STORE_BYTES}", "--disable-usage-stats"]
        command += ["--include-log-monitor=false"]
        if number:
            command += [f"--address={self.address}"]
        else:
            command += ["--head", f"--port={GCS_PORT}", f"--dashboard-host={node.address}"]
            command += [f"--redis-password={self.redis.password}"]
        log = node.path("/tmp/ray-start.log").open("ab")
        loop = f"while true; do {shlex.join(command)}; sleep 1; done"
        line = node.command("sh", "-c", loop, environment=self.environment())
        self._raylets[number] = subprocess.Popen(line, stdout=log, stderr=log)
        log.close()

    def add(self) -> None:
        """Start one more node, which joins."""
        number = len(self.nodes)
        self.nodes.append(Node(self.network, number))
        self.start_ray(number)
        self.until_joined()

    def replace(self, number: int) -> None:
        """Start a node anew at its old address, after it was killed."""
        self._end_ray(number)
        self.nodes[number] = Node(self.network, number)
        self.start_ray(number)

    def kill(self, number: int) -> None:
        """End a node at once, as if its power was cut."""
        self.nodes[number].kill()
        self._end_ray(number)

    def _end_ray(self, number: int) -> None:
        process = self._raylets.pop(number, None)
        if process is not None:
            process.kill()
            process.wait()

    def close(self) -> None:
        """End everything."""
        for number, node in enumerate(self.nodes):
            node.kill()
            self._end_ray(number)
        self.redis.close()
        self.network.close()

    # ---- the server ----------------------------------------------------------------------

    def dragoman(
        self, *arguments: str, node: int = 0, within_s: float = READY_S
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the server's on a node."""
        environment = {**self.environment(), "RAY_ADDRESS": self.address}
        line = (sys.executable, "-m", "deployments.cli", *arguments)
        return self.nodes[node].run(*line, environment=environment, within_s=within_s)

    def deploy(self, config: dict[str, Any]) -> None:
        """Give the cluster a configuration by ``dragoman deploy``."""
        self.head.path(CONFIG).write_text(yaml.safe_dump(config))
        started = time.monotonic()
        done = self.dragoman("deploy", "--config", CONFIG)
        print(f"sent after {time.monotonic() - started:.0f} s", flush=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def until_ready(self, numbers: Sequence[int] | None = None) -> float:
        """Wait until the ingresses of these nodes are ready, and say how long that took (s)."""
        started = time.monotonic()
        for number in range(len(self.nodes)) if numbers is None else numbers:
            url = self.urls[number]
            wait_for(partial(is_ready, url), f"{url} is ready", READY_S, self.logs)
        return time.monotonic() - started

    def logs(self) -> str:
        """The ends of the nodes' logs, for a message."""
        parts = []
        for number, node in enumerate(self.nodes):
            with contextlib.suppress(OSError):
                parts.append(f"--- node {number}\n{node.path('/tmp/ray-start.log').read_text()}")
            folder = node.path("/tmp/ray")  # session_latest is a link that leads elsewhere here
            found = [*folder.glob("session_2*/logs/serve/*.log")]
            for path in sorted([*found, *folder.glob("session_2*/logs/worker-*.err")]):
                with contextlib.suppress(OSError):
                    parts.append(f"--- {path.name}\n{path.read_text()[-1500:]}")
        return "\n".join(parts)[-40_000:]

    def living(self) -> int:
        """Nodes that live, as the cluster's dashboard has it; 0: it does not answer."""
        url = f"http://{self.head.address}:{DASHBOARD_PORT}/nodes?view=summary"
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            rows = httpx.get(url, headers=headers, timeout=5.0).json()["data"]["summary"]
        except (httpx.HTTPError, ValueError, KeyError):
            return 0
        return sum(row["raylet"].get("state") == "ALIVE" for row in rows)

    def until_joined(self) -> None:
        """Wait until every node is in the cluster."""
        wait_for(lambda: self.living() == len(self.nodes), "all nodes live", READY_S, self.logs)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=2.0).status_code == 200
    except httpx.HTTPError:
        return False


def wait_for(
    condition: Callable[[], bool], what: str, within_s: float, told: Callable[[], str] = str
) -> None:
    """Ask four times a second until it is so."""
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, f"not within {within_s} s: {what}\n{told()}"
        time.sleep(0.25)


@contextmanager
def running(nodes: int = NODES) -> Iterator[Cluster]:
    """A cluster for the length of a block."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the nodes end on the way out
    cluster = Cluster()
    try:
        started = time.monotonic()
        cluster.start(nodes)
        print(f"{nodes} nodes after {time.monotonic() - started:.0f} s", flush=True)
        yield cluster
    finally:
        cluster.close()


def fakes_config(**models: dict[str, Any]) -> dict[str, Any]:
    """A configuration of fakes, with an ingress on every node that answers to everybody."""
    args = {
        "models": models,
        "ingress": {"host": "0.0.0.0", "port": PORT, "replicas": "every_node"},
        "security": {"open": True},
    }
    application = {
        "name": "dragoman",
        "route_prefix": "/",
        "import_path": "deployments.app:build",
        "args": args,
        "deployments": [{"name": "Ingress", "user_config": {"batching": {}}}],
    }
    return {
        "proxy_location": "Disabled",
        "logging_config": {"log_level": "WARNING", "enable_access_log": False},
        "applications": [application],
    }
