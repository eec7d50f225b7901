"""A probe of the ingress' event loop: it asks for liveness again and again."""

from __future__ import annotations

import http.client
import time
from threading import Event, Thread
from urllib.parse import urlsplit


class Probe:
    """Ask from a thread and a connection of its own, for the length of a block."""

    def __init__(self, url: str, each_s: float) -> None:
        self._address = urlsplit(url).netloc
        self._each_s = each_s
        self._over = Event()
        self._thread = Thread(target=self._ask, daemon=True)
        self.waits_ms: list[float] = []
        self.failed = 0

    def __enter__(self) -> Probe:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join(120)

    def _ask(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=120)
        while not self._over.wait(self._each_s):
            asked_s = time.perf_counter()
            try:
                connection.request("GET", "/health/live")
                connection.getresponse().read()
            except OSError:
                self.failed += 1
                connection.close()
            self.waits_ms.append((time.perf_counter() - asked_s) * 1000)
        connection.close()
