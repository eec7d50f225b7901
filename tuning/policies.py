"""Change the batch policies of a running server, through a process of ``serve.live_policies``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import IO, Any

from deployments.serve import live_policies

END_S = 10.0  # for the process to end


class LivePolicies:
    """Start, use and end the process; ``log`` takes its output and Ray's."""

    def __init__(self, address: str, environment: Mapping[str, str], log: IO[bytes]) -> None:
        self._process = subprocess.Popen(
            live_policies.command(address),
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,  # the terminal sends its interrupts to the tuner alone
        )

    def apply(self, batching: Mapping[str, Any]) -> None:
        """Send a ``batching``, and return once every ingress has it.

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
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
