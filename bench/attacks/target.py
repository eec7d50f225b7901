"""A whole server with one model that only sleeps, and callers who want nothing but an answer."""

from __future__ import annotations

import asyncio
import http.client
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.support.fakes import SLEEP
from tests.support.server import Running, config_on_a_free_port, eventually, fakes_config, running

MODEL = "speaker"
SAMPLES = b"\1\0" * 16_000  # a second of audio: a request that comes in one piece
LONG = b"\1\0" * 250_000  # one that does not
PCM = {"content-type": "audio/pcm; rate=16000"}
EMBEDDINGS = "/v1/audio/embeddings"
MB = 1 << 20


@contextmanager
def attacked(**limits: Any) -> Iterator[Running]:
    """A warm server, for the length of a block; ``limits`` other than the default."""
    config = fakes_config()
    args = config["applications"][0]["args"]
    args["models"] = {MODEL: {"engine": SLEEP, "options": {"base_ms": 5.0}}}
    args["limits"] = limits
    with (
        tempfile.TemporaryDirectory() as folder,
        running(config_on_a_free_port(Path(folder), config)) as server,
    ):
        eventually(lambda: _answers(server.url), "an answer")
        yield server


def _answers(url: str) -> bool:
    return httpx.post(url + EMBEDDINGS, content=SAMPLES, headers=PCM).status_code == 200


def address(server: Running) -> tuple[str, int]:
    parts = urlsplit(server.url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def rss_mb(server: Running) -> float:
    """Of the ingress."""
    (ingress,) = server.replicas("Ingress")
    return float(ingress.memory_info().rss / MB)


class Probe:
    """Asks for liveness again and again from a thread of its own: its longest wait is a stall."""

    def __init__(self, server: Running) -> None:
        self._address = address(server)
        self._over = Event()
        self._thread = Thread(target=self._ask, daemon=True)
        self.longest_s = 0.0
        self.failed = 0

    def _ask(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=120)
        while not self._over.wait(0.01):
            asked_s = time.perf_counter()
            try:
                connection.request("GET", "/health/live")
                connection.getresponse().read()
            except OSError:
                self.failed += 1
                connection.close()
            self.longest_s = max(self.longest_s, time.perf_counter() - asked_s)
        connection.close()

    def __enter__(self) -> Probe:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(120)


async def normal_callers(server: Running, callers: int, over: asyncio.Event) -> Counter[int]:
    """The statuses that callers of short and long requests get until ``over``."""
    statuses: Counter[int] = Counter()

    async def one(number: int) -> None:
        body = LONG if number % 2 else SAMPLES
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as http_client:
            while not over.is_set():
                answer = await http_client.post(EMBEDDINGS, content=body, headers=PCM)
                statuses[answer.status_code] += 1

    await asyncio.gather(*map(one, range(callers)))
    return statuses
