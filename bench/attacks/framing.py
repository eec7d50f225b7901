"""Heads, trailers and chunks without end, and how long one keeps all others waiting."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

from bench.attacks.target import EMBEDDINGS, MB, Row, address, attacked
from bench.probe import Probe
from bench.serving import Server

TOTAL_BYTES = 200 * MB
MOST_MS = 500.0
PROBE_S = 0.01
POST = f"POST {EMBEDDINGS} HTTP/1.1\r\nhost: localhost\r\n".encode()
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"
# What is sent first, and then over and over.
ATTACKS = {
    "a trailer of one header": (CHUNKED + b"1\r\nx\r\n0\r\nx: ", b"y" * MB),
    "a trailer of tiny headers": (CHUNKED + b"1\r\nx\r\n0\r\n", b"a:b\r\n" * 200_000),
    "a head of one header": (POST + b"x: ", b"y" * MB),
    "a head of tiny headers": (POST, b"a:b\r\n" * 200_000),
    "a path": (b"GET /", b"y" * MB),
    "line ends": (b"", b"\r\n" * (MB // 2)),
    "a chunk's extension": (CHUNKED + b"1;", b"y" * MB),
    "a chunk's length": (CHUNKED, b"0" * MB),
    "chunks of a byte": (CHUNKED, b"1\r\nx\r\n" * 170_000),
    "chunks of a byte with extensions": (CHUNKED, b"1;a=b;c\r\nx\r\n" * 80_000),
    "chunks with extensions of 50 kB": (CHUNKED, b"1;" + b"y" * 50_000 + b"\r\nx\r\n"),
    "requests without waiting": (b"", b"GET /health/live HTTP/1.1\r\n\r\n" * 30_000),
}


def measure() -> list[Row]:
    with attacked() as server:
        return [quiet(server), *(without_end(server, name) for name in ATTACKS)]


def quiet(server: Server) -> Row:
    with Probe(server.url, PROBE_S) as probe:
        time.sleep(3)
    return _row("nothing, for comparison", probe, 0)


def without_end(server: Server, name: str) -> Row:
    first, again = ATTACKS[name]
    sent = 0
    with (
        Probe(server.url, PROBE_S) as probe,
        socket.create_connection(address(server), 60) as connection,
    ):
        try:
            for piece in _pieces(first, again):
                connection.sendall(piece)
                sent += len(piece)
        except OSError:
            pass  # the server has closed it
        time.sleep(0.5)
    return _row(f"{name}, up to {TOTAL_BYTES // MB} MB", probe, sent)


def _pieces(first: bytes, again: bytes) -> Iterator[bytes]:
    yield first
    for _ in range(TOTAL_BYTES // len(again)):
        yield again


def _row(tried: str, probe: Probe, sent_bytes: int) -> Row:
    longest_ms = max(probe.waits_ms)
    return Row(
        "framing without end",
        tried,
        f"{longest_ms:.0f} ms the longest wait of another caller's probe, "
        f"{probe.failed} failed; {sent_bytes / MB:.1f} MB taken",
        f"at most {MOST_MS:.0f} ms, none failed",
        longest_ms <= MOST_MS and not probe.failed,
    )
