"""Replicas that are stopped: when they are ended, and what callers notice of it."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import httpx
import numpy as np
import psutil

from bench.attacks.rows import Row
from tests.support.fakes import SLEEP
from tests.support.server import Running, config_on_a_free_port, fakes_config, running

PCM = {"content-type": "audio/pcm; rate=16000", "accept": "application/octet-stream"}
EMBEDDINGS = "/v1/audio/embeddings"
CALLERS = 8
FOUND_S = 15.0
MOMENT_S = 3.0  # that a replica may be stopped for
AFTER_S = 5.0  # of load behind what was done to a replica


def measure() -> list[Row]:
    with served(replicas=2) as server:
        rows = [*stopped(server, "one of two replicas", 1), for_a_moment(server)]
    with served(replicas=1) as server:
        return [*rows, *stopped(server, "the only replica", 1)]


@contextmanager
def served(replicas: int) -> Iterator[Running]:
    """A warm server of one model that only sleeps."""
    config = fakes_config()
    speaker = {"engine": SLEEP, "replicas": replicas, "options": {"base_ms": 20.0}}
    config["applications"][0]["args"]["models"] = {"speaker": speaker}
    with (
        tempfile.TemporaryDirectory() as folder,
        running(config_on_a_free_port(Path(folder), config)) as server,
    ):
        yield server


class Callers:
    """Callers who each ask again once they are answered, for the length of a block."""

    def __init__(self, server: Running) -> None:
        self._server = server
        self._over = Event()
        self._pool = ThreadPoolExecutor(CALLERS)
        self.right = self.wrong = 0
        self.longest_s = 0.0

    def __enter__(self) -> Callers:
        self._asking = [self._pool.submit(self._ask, number) for number in range(CALLERS)]
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for asking in self._asking:
            asking.result()
        self._pool.shutdown()

    def until_answered(self, more: int) -> None:
        """Return once so many more requests have been answered."""
        wanted = self.right + more
        while self.right < wanted:
            time.sleep(0.05)

    def _ask(self, number: int) -> None:
        clip = np.full(1600, number, "<i2").tobytes()
        with httpx.Client(base_url=self._server.url, timeout=300) as http:
            while not self._over.is_set():
                asked = time.monotonic()
                answer = http.post(EMBEDDINGS, content=clip, headers=PCM)
                self.longest_s = max(self.longest_s, time.monotonic() - asked)
                if answer.is_success and _whose(answer.content) == number:
                    self.right += 1
                else:
                    self.wrong += 1


def _whose(embedding: bytes) -> int:
    """The number of the caller, which the one value that is not zero stands for."""
    return int(np.flatnonzero(np.frombuffer(embedding, "<f4"))[0])


def stopped(server: Running, which: str, count: int) -> list[Row]:
    """SIGSTOP under load."""
    with Callers(server) as callers:
        callers.until_answered(20 * CALLERS)
        victims = server.replicas("speaker")[:count]
        began = time.monotonic()
        for victim in victims:
            victim.send_signal(signal.SIGSTOP)
        psutil.wait_procs(victims, timeout=300)
        ended_s = time.monotonic() - began
        callers.until_answered(20 * CALLERS)
        time.sleep(AFTER_S)
    tried = f"SIGSTOP of {which} under {CALLERS} callers"
    ended = f"{ended_s:.1f} s until it is ended; a caller's longest wait {callers.longest_s:.1f} s"
    lost = f"{callers.wrong} of {callers.right + callers.wrong} requests lost or wrong"
    return [
        Row("stopped replica", tried, ended, f"ended within {FOUND_S:.0f} s", ended_s <= FOUND_S),
        Row("stopped replica", tried, lost, "none", callers.wrong == 0),
    ]


def for_a_moment(server: Running) -> Row:
    """SIGSTOP and SIGCONT: a slow replica, which is kept."""
    with Callers(server) as callers:
        callers.until_answered(20 * CALLERS)
        replicas = server.replicas("speaker")
        for replica in replicas:
            replica.send_signal(signal.SIGSTOP)
        time.sleep(MOMENT_S)
        for replica in replicas:
            replica.send_signal(signal.SIGCONT)
        callers.until_answered(20 * CALLERS)
        time.sleep(AFTER_S)
    kept = sum(replica.is_running() for replica in replicas)
    tried = f"SIGSTOP of every replica for {MOMENT_S:.0f} s under {CALLERS} callers"
    figure = f"{kept} of {len(replicas)} kept; {callers.wrong} requests lost or wrong"
    held = kept == len(replicas) and callers.wrong == 0
    return Row("slow replica", tried, figure, "all kept, none lost", held)
