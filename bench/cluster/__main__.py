"""More nodes, and more ingresses before one model; nodes need root, as `make cluster-tests` does.

PYTHONPATH=client python -m bench.cluster [--part nodes | ingresses]
"""

from __future__ import annotations

import argparse

from bench import command
from bench.cluster import ingresses, nodes
from bench.results import Results

PARTS = {"nodes": nodes.measure, "ingresses": ingresses.measure}
OPTIONS: command.Options = {
    "part": {"choices": [*PARTS], "default": "nodes", "help": "what to measure [nodes]"},
    "seconds": command.value(12.0, "seconds of each load"),
    "rate": command.value(100.0, "requests a second of all ingresses together"),
}


def measure(args: argparse.Namespace) -> Results:
    return PARTS[args.part](args)


if __name__ == "__main__":
    command.run(__doc__, measure, OPTIONS)
