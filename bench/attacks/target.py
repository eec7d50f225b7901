"""The target of attacks: a whole server with one model that only sleeps; and its usual callers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from bench.serving import Server, config_of, serving, sleeper
from load.connections import asker, connected, prepared
from load.steps import Length, Load, RealClock, Recording, Stepper
from tests.support.server import eventually

MODEL = "speaker"
SAMPLES = b"\1\0" * 16_000  # a second of audio: a request that comes in one piece
LONG = b"\1\0" * 250_000  # one that does not
PCM = {"content-type": "audio/pcm; rate=16000"}
EMBEDDINGS = "/v1/audio/embeddings"
MB = 1 << 20


@dataclass(frozen=True)
class Row:
    """One attack, its figure, and whether the server held."""

    attack: str
    tried: str
    figure: str  # with its unit
    held_if: str  # what was asked of the figure
    held: bool


@contextmanager
def attacked(replicas: int = 1, base_ms: float = 5.0, **args: Any) -> Iterator[Server]:
    """Run a warm server for the length of a block; ``args`` are its limits or security."""
    with serving(config_of({MODEL: sleeper(replicas, base_ms=base_ms)}, **args)) as server:
        keyed = "security" in args
        eventually(lambda: keyed or _answers(server.url), "an answer")
        yield server


def _answers(url: str) -> bool:
    return httpx.post(url + EMBEDDINGS, content=SAMPLES, headers=PCM).status_code == 200


def address(server: Server) -> tuple[str, int]:
    parts = urlsplit(server.url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def head(server: Server, content_type: str, length_bytes: int) -> bytes:
    """Begin an upload that announces so many bytes."""
    return (
        f"POST {EMBEDDINGS} HTTP/1.1\r\nhost: {address(server)[0]}\r\n"
        f"content-type: {content_type}\r\ncontent-length: {length_bytes}\r\n\r\n"
    ).encode()


def rss_mb(server: Server) -> float:
    """Measure the resident memory of the ingress."""
    (ingress,) = server.running.replicas("Ingress")
    return float(ingress.memory_info().rss / MB)


async def usual_callers(server: Server, callers: int, over: asyncio.Event) -> Recording:
    """Send short and long requests from so many callers until ``over``."""
    url = server.url + EMBEDDINGS
    requests = [prepared(url, content=body, headers=PCM) for body in (SAMPLES, LONG)]
    recording = Recording(Load("closed", callers))
    async with connected(server.url, 60) as connections:
        stepper = Stepper(asker(connections, requests), RealClock())
        await stepper.run(recording, Length(until=over))
    return recording
