"""Dragoman and its peers under the same load, in turns; needs wrk (Debian: apt-get install wrk).

    python -m bench.overhead [--peers dragoman,mosec] [--callers 8,64,256] [--seconds 6]
        [--rounds 3] [--quick]

The first run installs each peer into an environment of its own in Dragoman's cache.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bench import command
from bench.command import flag
from bench.overhead import report
from bench.overhead.catalogue import PEERS, Peer, Start
from bench.overhead.environments import NotToBeHad
from bench.overhead.report import Measurement
from bench.overhead.servers import CpuClock, DidNotServe, await_answer, running
from bench.overhead.wrk import LoadFailed, load
from bench.results import Results
from bench.serving import BenchFailed
from deployments.serve.cleanup_process import adopt_orphans

WARM_UP_CALLERS, WARM_UP_S = 64, 2
WHY_CHARS = 300


def bench(options: argparse.Namespace) -> Results:
    if shutil.which("wrk") is None:
        raise BenchFailed("wrk is needed: apt-get install wrk")
    adopt_orphans()
    seconds = options.seconds or (3 if options.quick else 6)
    rounds = options.rounds or (1 if options.quick else 3)
    chosen = [peer for peer in PEERS if peer.name in options.peers]
    measured, missing = run(chosen, options.callers, seconds, rounds)
    if not measured:
        raise BenchFailed("; ".join(f"{label}: {why}" for label, why in missing.items()))
    return report.results(measured, missing, rounds, seconds)


def run(
    peers: Sequence[Peer], callers: Sequence[int], seconds: int, rounds: int
) -> tuple[list[Measurement], dict[str, str]]:
    """Take all rounds; return what was measured, and why a row is not in all of them.

    Every second round goes backwards, so that a drift of the machine's speed favours nobody.
    """
    measured: list[Measurement] = []
    missing: dict[str, str] = {}
    starts = dict(_prepared(peers, missing))
    for number in range(rounds):
        order = [peer for peer in peers if peer.name in starts]
        for peer in order if number % 2 == 0 else reversed(order):
            try:
                # What comes before a failure is kept.
                measured.extend(_turn(peer, starts[peer.name], callers, seconds, number))
            except (DidNotServe, LoadFailed) as error:
                missing |= _missing(peer, error)
                del starts[peer.name]
    return measured, missing


def _prepared(peers: Sequence[Peer], missing: dict[str, str]) -> Iterator[tuple[str, Start]]:
    """Install all of them first, so that no download runs beside a measurement."""
    for peer in peers:
        try:
            yield peer.name, peer.prepare()
        except NotToBeHad as error:
            missing |= _missing(peer, error)


def _missing(peer: Peer, error: Exception) -> dict[str, str]:
    """Say in one line why the rows of a peer have no figures."""
    why = textwrap.shorten(str(error), WHY_CHARS).replace("|", "/")  # it stands in a table
    print(f"{peer.name}: {why}", file=sys.stderr)
    return {way.label: why for way in peer.ways}


def _turn(
    peer: Peer, start: Start, callers: Sequence[int], seconds: int, number: int
) -> Iterator[Measurement]:
    """Measure one server, from its start to its end.

    Raises:
        DidNotServe: it gave no right answer.
        LoadFailed: the load generator could not load it.
    """
    with running(start.command, start.environment, start.folder) as process:
        for way in peer.ways:
            await_answer(process, start.url + way.path, way.protocol)
            load(start.url + way.path, way.protocol, WARM_UP_CALLERS, WARM_UP_S)
        for count in callers:
            for way in peer.ways:
                clock = CpuClock()
                taken = load(start.url + way.path, way.protocol, count, seconds)
                measurement = Measurement(way.label, number, count, taken, clock.seconds())
                print(_line(measurement), flush=True)
                yield measurement


def _line(measurement: Measurement) -> str:
    taken = measurement.load
    return (
        f"round {measurement.round + 1}, {measurement.callers} callers, {measurement.label}: "
        f"{taken.answers_a_second:,.0f} requests/s, p50 {taken.p50_ms:.1f} ms, "
        f"p99 {taken.p99_ms:.1f} ms, {taken.errors} errors, "
        f"{measurement.cpu_s:.1f} s of CPU"
    )


def _some(read: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """Read values that stand with commas between them."""

    def values(text: str) -> list[Any]:
        return [read(part) for part in text.split(",")]

    return values


def _name(text: str) -> str:
    if text not in NAMES:
        raise argparse.ArgumentTypeError(f"no such peer: {text}; {', '.join(NAMES)}")
    return text


def _number(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text}: at least 1")
    return number


NAMES = [peer.name for peer in PEERS]
OPTIONS: command.Options = {
    "peers": {"type": _some(_name), "default": NAMES, "help": ", ".join(NAMES)},
    "callers": {"type": _some(_number), "default": [8, 64, 256]},
    "seconds": {"type": _number, "help": "of each load (6)"},
    "rounds": {"type": _number, "help": "(3)"},
    "quick": flag("one round, 3 s a load"),
}

if __name__ == "__main__":
    command.run(__doc__, bench, OPTIONS)
