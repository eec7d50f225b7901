"""Applies batch policies to a running server at once: a process that stays a driver of its cluster.

``python -m tuning.policies --address HOST:PORT`` reads lines of JSON, each the whole
``batching`` of the configuration, and answers each once every ingress has it. A re-deploy does the
same, but says it is done before it is; a driver's start takes seconds, and is paid once here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any, TextIO

APPLY_S = 30.0  # what the ingresses may take
END_S = 10.0  # what the process may take to end


class LivePolicies:
    """The process, from outside; ``log`` takes what it and Ray say."""

    def __init__(self, address: str, environment: Mapping[str, str], log: IO[bytes]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tuning.policies", "--address", address],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,  # an interrupt of the terminal is for us to deal with
        )

    def apply(self, batching: Mapping[str, Any]) -> None:
        """Return once every ingress forms its batches so.

        Raises:
            OSError: the server does not answer; its log says why.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(batching) + "\n")
        self._process.stdin.flush()
        if self._process.stdout.readline() != "\n":
            raise OSError("the batch policies could not be changed: the server does not answer")

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


async def serve(address: str, answers: TextIO) -> None:
    """Apply each line of stdin, and answer it with an empty one; until stdin ends."""
    import ray
    from ray import serve

    from deployments.config.names import APPLICATION, INGRESS

    ray.init(address=address, namespace="serve", log_to_driver=False, logging_level=logging.ERROR)
    ingress = serve.get_deployment_handle(INGRESS, APPLICATION)
    while line := await asyncio.to_thread(sys.stdin.readline):
        call = ingress.broadcast("reconfigure", {"batching": json.loads(line)})
        await call.results_async(timeout_s=APPLY_S)
        answers.write("\n")
        answers.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tuning.policies", description=__doc__)
    parser.add_argument("--address", required=True, help="of the Ray cluster")
    options = parser.parse_args(arguments)
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever Ray prints is no answer
        asyncio.run(serve(options.address, answers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
