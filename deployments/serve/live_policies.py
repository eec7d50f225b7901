"""Apply batch policies to a running server: a process that stays a driver of its Ray cluster.

``python -m deployments.serve.live_policies --address HOST:PORT`` reads lines of JSON, each a
``batching`` of the configuration as a whole, and answers each with an empty line once every ingress
has it. A re-deploy reports its end before the ingresses have the policies, and starting a driver
takes seconds, so one driver stays.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from deployments.config.names import APPLICATION, INGRESS

APPLY_S = 30.0  # for all ingresses to answer


def command(address: str) -> list[str]:
    """Return the command line of the process, for the Ray cluster at ``address``."""
    return [sys.executable, "-m", __name__, "--address", address]


async def apply_lines(address: str, answers: TextIO) -> None:
    """Apply each line of standard input and answer it, until standard input ends."""
    import ray  # late: whoever asks for ``command`` does not need it
    from ray import serve

    ray.init(address=address, namespace="serve", log_to_driver=False, logging_level=logging.ERROR)
    ingress = serve.get_deployment_handle(INGRESS, APPLICATION)
    while line := await asyncio.to_thread(sys.stdin.readline):
        call = ingress.broadcast("reconfigure", {"batching": json.loads(line)})
        await call.results_async(timeout_s=APPLY_S)
        answers.write("\n")
        answers.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="deployments.serve.live_policies", description=__doc__)
    parser.add_argument("--address", required=True, help="of the Ray cluster")
    options = parser.parse_args(arguments)
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what Ray prints is no answer
        asyncio.run(apply_lines(options.address, answers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
