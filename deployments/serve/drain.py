"""Drains a running server: every ingress refuses new requests and finishes those that run.

``python -m deployments.serve.drain --address HOST:PORT`` before the server is stopped (the launcher
does so; a pod does so in its preStop hook). Serve stops all deployments at once otherwise, and
a request that is still being heard would find no model to translate it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence

import ray
from ray import serve

from deployments.config.names import APPLICATION, INGRESS


async def drain(address: str, timeout_s: float) -> bool:
    """Whether every running request has ended within ``timeout_s``."""
    ray.init(address=address, namespace="serve", log_to_driver=False, logging_level=logging.ERROR)
    ingress = serve.get_deployment_handle(INGRESS, APPLICATION)
    return all(await ingress.broadcast("drain", timeout_s).results_async())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="deployments.serve.drain", description=__doc__)
    parser.add_argument("--address", default="auto", help="of the Ray cluster")
    parser.add_argument("--timeout", type=float, default=30.0, help="in seconds")
    options = parser.parse_args(arguments)
    return 0 if asyncio.run(drain(options.address, options.timeout)) else 1


if __name__ == "__main__":
    sys.exit(main())
