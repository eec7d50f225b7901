"""Drain a running server: every ingress refuses new requests and finishes those that run.

``python -m deployments.serve.drain --address HOST:PORT`` is run before a server is stopped, by the
launcher and by ``dragoman drain``. Serve stops all deployments at once, and without this a request
between two models would find the second one gone. It exits with 1 if some requests had not ended
in time, or if there is no server.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence

import ray
from ray import serve
from ray.serve.exceptions import RayServeException

from deployments.config.names import APPLICATION, INGRESS

DRAIN_S = 20.0  # for a stopping replica to finish what it has begun


async def drain(address: str, timeout_s: float) -> bool:
    """Drain the server of a Ray cluster; tell whether all requests ended within the time."""
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    ray.init(address=address, namespace="serve", log_to_driver=False, logging_level=logging.ERROR)
    ingress = serve.get_deployment_handle(INGRESS, APPLICATION)
    return all(await ingress.broadcast("drain", timeout_s).results_async())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="deployments.serve.drain", description=__doc__)
    parser.add_argument("--address", default="auto", help="of the Ray cluster")
    parser.add_argument("--timeout", type=float, default=30.0, help="in seconds")
    options = parser.parse_args(arguments)
    try:
        return 0 if asyncio.run(drain(options.address, options.timeout)) else 1
    except (ConnectionError, RayServeException) as error:
        sys.stderr.write(f"dragoman: no server at {options.address}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
