"""A Redis on this machine, where the cluster's head keeps what must outlive it."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import subprocess
import tempfile
import time

from deployments.serve.ports import free_port

START_S = 20.0


class Redis:
    """Debian's server, at an address that the nodes reach, with a password."""

    def __init__(self, host: str) -> None:
        self.port = free_port()
        self.address = f"{host}:{self.port}"
        self.password = secrets.token_hex(16)
        self._folder = tempfile.mkdtemp(prefix="dragoman-redis-")
        command = ["redis-server", "--bind", host, "--port", str(self.port)]
        command += ["--requirepass", self.password, "--save", "", "--dir", self._folder]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection((host, self.port), 1.0):
                return
        raise RuntimeError("Redis does not start")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(START_S)
        shutil.rmtree(self._folder, ignore_errors=True)
