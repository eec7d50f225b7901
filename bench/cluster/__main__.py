"""Requests a second on 1, 2 and 3 nodes of this one machine, and the CPU time of a request.

    python -m bench.cluster [--seconds 6] [--rounds 2]

Each node has namespaces of its own, as in `make cluster-tests`, which needs root, Redis and nginx.
"""

from __future__ import annotations

from bench import command
from bench.cluster import nodes

OPTIONS: command.Options = {
    "seconds": command.value(6.0, "of each load"),
    "rounds": command.value(2, "loads on each number of nodes"),
}

if __name__ == "__main__":
    command.run(__doc__, nodes.measure, OPTIONS)
