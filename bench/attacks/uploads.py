"""Uploads that are given up, and the memory that stays behind them."""

from __future__ import annotations

import asyncio
import time

from bench.attacks.target import MB, PCM, Row, address, attacked, head, rss_mb
from bench.serving import Server

ROUNDS = 10
# Of four callers less is freed than the settings of the launcher give back by themselves.
MANY, FEW = 6, 4
SENT_MB, ANNOUNCED_MB = 60, 150
MOST_MB = 100.0  # above the start
SETTLE_S = 20.0
FORM = "multipart/form-data; boundary=x"
PART = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'


def measure() -> list[Row]:
    with attacked() as server:
        return [
            given_up(server, MANY, PCM["content-type"]),
            given_up(server, FEW, PCM["content-type"]),
            given_up(server, MANY, FORM, PART),
        ]


def given_up(server: Server, callers: int, content_type: str, begin: bytes = b"") -> Row:
    """Let callers leave in the middle of what they announced, ten rounds of them."""
    asyncio.run(_round(server, callers, content_type, begin))  # what is allocated once is no leak
    time.sleep(3)
    before_mb = rss_mb(server)
    most_mb = 0.0
    for _ in range(ROUNDS):
        asyncio.run(_round(server, callers, content_type, begin))
        most_mb = max(most_mb, rss_mb(server) - before_mb)
    deadline_s = time.monotonic() + SETTLE_S
    while (grown_mb := rss_mb(server) - before_mb) > MOST_MB and time.monotonic() < deadline_s:
        time.sleep(0.5)
    return Row(
        "uploads given up",
        f"{ROUNDS} rounds of {callers} callers who send {SENT_MB} of {ANNOUNCED_MB} MB "
        f"({content_type.partition(';')[0]}) and leave",
        f"{grown_mb:+.0f} MB of RSS afterwards, {most_mb:+.0f} at most",
        f"at most +{MOST_MB:.0f} MB afterwards",
        grown_mb <= MOST_MB,
    )


async def _round(server: Server, callers: int, content_type: str, begin: bytes) -> None:
    await asyncio.gather(*(_caller(server, content_type, begin) for _ in range(callers)))


async def _caller(server: Server, content_type: str, begin: bytes) -> None:
    _, writer = await asyncio.open_connection(*address(server))
    writer.write(head(server, content_type, ANNOUNCED_MB * MB) + begin)
    for _ in range(SENT_MB):
        writer.write(bytes(MB))
        await writer.drain()
    writer.transport.abort()
