"""Uploads that are given up: what of them stays in memory."""

from __future__ import annotations

import asyncio
import time

from bench.attacks.rows import Row
from bench.attacks.target import EMBEDDINGS, MB, address, attacked, rss_mb
from tests.support.server import Running

ROUNDS = 10
# Of four callers less is freed than the settings of the launcher give back by themselves.
MANY, FEW = 6, 4
SENT_MB, ANNOUNCED_MB = 60, 150
MOST_MB = 100.0  # above the start
SETTLE_S = 20.0
SAMPLES = "audio/pcm; rate=16000"
FORM = "multipart/form-data; boundary=x"
PART = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'


def measure() -> list[Row]:
    with attacked() as server:
        return [
            given_up(server, MANY, SAMPLES),
            given_up(server, FEW, SAMPLES),
            given_up(server, MANY, FORM, PART),
        ]


def given_up(server: Running, callers: int, content_type: str, begin: bytes = b"") -> Row:
    """Ten rounds of callers who leave in the middle of what they announced."""
    asyncio.run(_round(server, callers, content_type, begin))  # what is allocated once is no leak
    time.sleep(3)
    before_mb = rss_mb(server)
    most_mb = 0.0
    for _ in range(ROUNDS):
        asyncio.run(_round(server, callers, content_type, begin))
        most_mb = max(most_mb, rss_mb(server) - before_mb)
    grown_mb = _settled(server, before_mb)
    return Row(
        "uploads given up",
        f"{ROUNDS} rounds of {callers} callers who send {SENT_MB} of {ANNOUNCED_MB} MB "
        f"({content_type.partition(';')[0]}) and leave",
        f"{grown_mb:+.0f} MB of RSS afterwards, {most_mb:+.0f} at most",
        f"at most +{MOST_MB:.0f} MB afterwards",
        grown_mb <= MOST_MB,
    )


def _settled(server: Running, before_mb: float) -> float:
    """How much more there is than before, once that is little, or after some time."""
    deadline = time.monotonic() + SETTLE_S
    while (grown_mb := rss_mb(server) - before_mb) > MOST_MB and time.monotonic() < deadline:
        time.sleep(0.5)
    return grown_mb


async def _round(server: Running, callers: int, content_type: str, begin: bytes) -> None:
    await asyncio.gather(*(_caller(server, content_type, begin) for _ in range(callers)))


async def _caller(server: Running, content_type: str, begin: bytes) -> None:
    _, writer = await asyncio.open_connection(*address(server))
    head = (
        f"POST {EMBEDDINGS} HTTP/1.1\r\nhost: {address(server)[0]}\r\n"
        f"content-type: {content_type}\r\ncontent-length: {ANNOUNCED_MB * MB}\r\n\r\n"
    )
    writer.write(head.encode() + begin)
    piece = bytes(MB)
    for _ in range(SENT_MB):
        writer.write(piece)
        await writer.drain()
    writer.transport.abort()
