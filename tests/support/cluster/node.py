"""A node: a network, processes, mounts and IPC of its own, as if on another machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from tests.support.cluster import node_init
from tests.support.cluster.network import Network
from tests.support.server import ROOT

NAMESPACES = ("--net", "--pid", "--mount", "--ipc", "--uts")
KEPT = ("PATH", "LANG", "PYTHONPATH")  # of this process's environment
END_S = 20.0


class Node:
    """Namespaces, and the commands that run in them.

    Args:
        network: takes the node in.
        number: of the node, from 0.
    """

    def __init__(self, network: Network, number: int) -> None:
        self.number = number
        self.address = network.address(number)
        self._network = network
        init = [sys.executable, node_init.__file__, str(ROOT)]
        self._outer = subprocess.Popen(
            ["unshare", *NAMESPACES, "--fork", "--mount-proc", "--kill-child=SIGKILL", *init],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._outer.stdout is not None
        assert self._outer.stdout.readline() == "ready\n"
        (first,) = psutil.Process(self._outer.pid).children()
        self.first = first
        network.connect(number, first.pid)
        self.run("hostname", f"node-{number}")

    def command(self, *command: str, environment: Mapping[str, str] | None = None) -> list[str]:
        """The command line that runs a command in the node, with its own environment alone."""
        outer = {name: os.environ[name] for name in KEPT if name in os.environ}
        own = {**outer, "HOME": node_init.HOME, "TMPDIR": "/tmp", **(environment or {})}
        inside = ["nsenter", "--target", str(self.first.pid), "--net", "--pid", "--mount", "--ipc"]
        words = [f"{name}={value}" for name, value in own.items()]
        return [*inside, "--uts", f"--wdns={ROOT}", "env", "-i", *words, *command]

    def run(
        self, *command: str, environment: Mapping[str, str] | None = None, within_s: float = 120.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the node to its end."""
        line: Sequence[str] = self.command(*command, environment=environment)
        return subprocess.run(line, capture_output=True, text=True, check=False, timeout=within_s)

    def path(self, inner: str) -> Path:
        """Where this process finds a file of the node's."""
        return Path(f"/proc/{self.first.pid}/root", inner.lstrip("/"))

    def processes(self) -> list[psutil.Process]:
        """Every process of the node but its first; none of one that was killed."""
        if not self.first.is_running():
            return []
        own = Path(f"/proc/{self.first.pid}/ns/pid").readlink()
        found = []
        for process in psutil.process_iter():
            try:
                if Path(f"/proc/{process.pid}/ns/pid").readlink() == own:
                    found.append(process)
            except OSError:  # it has just ended
                continue
        return [process for process in found if process.pid != self.first.pid]

    def cut(self) -> None:
        """Cut it off from every other node and from this machine."""
        self._network.cut(self.number)

    def mend(self) -> None:
        self._network.mend(self.number)

    def kill(self) -> None:
        """End every process of the node at once, without a word to any of them."""
        if self.first.is_running():
            self.first.kill()
        self._outer.wait(END_S)
        for pipe in (self._outer.stdin, self._outer.stdout):
            if pipe is not None:
                pipe.close()
