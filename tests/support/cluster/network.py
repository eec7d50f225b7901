"""A network of this machine alone: a bridge, and one cable from it to each node."""

from __future__ import annotations

import os
import random
import subprocess

PREFIX_BITS = 24
HOST = 1  # the last number of this machine's own address on the bridge
FIRST_NODE = 11  # and of the first node's


def run(*command: str, stdin: str | None = None) -> str:
    """Run a command to its end; its output.

    Raises:
        RuntimeError: it failed; the message is what it wrote.
    """
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr or done.stdout}")
    return done.stdout


class Network:
    """A bridge with addresses that nothing else here has."""

    def __init__(self) -> None:
        self.bridge = f"dragoman{os.getpid() % 1_000_000}"
        self._subnet = f"10.199.{random.randrange(256)}"
        run("ip", "link", "add", self.bridge, "type", "bridge")
        run("ip", "address", "add", f"{self.host}/{PREFIX_BITS}", "dev", self.bridge)
        run("ip", "link", "set", self.bridge, "up")

    @property
    def host(self) -> str:
        """The address at which the nodes find this machine."""
        return f"{self._subnet}.{HOST}"

    def address(self, number: int) -> str:
        return f"{self._subnet}.{FIRST_NODE + number}"

    def connect(self, number: int, pid: int) -> None:
        """Give the network namespace of a process its cable and its address."""
        here, there = self._cable(number), "eth0"
        inside = ("nsenter", "--target", str(pid), "--net", "ip")
        run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", str(pid))
        run("ip", "link", "set", here, "master", self.bridge, "up")
        run(*inside, "address", "add", f"{self.address(number)}/{PREFIX_BITS}", "dev", there)
        run(*inside, "link", "set", there, "up")
        run(*inside, "link", "set", "lo", "up")
        # Ray finds a node's own address by the way to the world, which ends at the bridge here.
        run(*inside, "route", "add", "default", "via", self.host)

    def cut(self, number: int) -> None:
        """Take a node's cable off; what is on its way is lost, and nobody is told."""
        run("ip", "link", "set", self._cable(number), "down")

    def mend(self, number: int) -> None:
        """Put the cable back on."""
        run("ip", "link", "set", self._cable(number), "up")

    def close(self) -> None:
        run("ip", "link", "delete", self.bridge)

    def _cable(self, number: int) -> str:
        return f"dn{os.getpid() % 1_000_000}n{number}"
