"""One model behind 1, 2 and 4 ingresses at one rate of requests: rows a batch, and the answers."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from bench.results import Aim, Cell, Results, Table
from bench.serving import config_of, serving, sleeper
from load.figures import percentile
from tests.support.cluster.load import Load

INGRESSES = (1, 2, 4)
BASE_MS, ITEM_MS = 60.0, 1.0  # of a batch, and of each of its rows
ROWS = 32
FALL = 0.05  # of rows a batch, at most


@dataclass(frozen=True)
class Measured:
    ingresses: int
    sent: int
    right: int
    rate: float
    rows: float
    p50_ms: float
    p99_ms: float


def measure(args: argparse.Namespace) -> Results:
    """Start one server after another, and ask each at the same rate."""
    return results([_one(count, args.rate, args.seconds) for count in INGRESSES], args.rate)


def _one(ingresses: int, rate: float, seconds: float) -> Measured:
    config = config_of(
        {"speaker": sleeper(base_ms=BASE_MS, item_ms=ITEM_MS)},
        {"speaker": {"max_batch_size": ROWS}},
        ingress={"replicas": ingresses},
    )
    with serving(config) as server:
        url = server.running.url
        with Load(url, rate):  # the estimates learn, and connections open
            time.sleep(seconds / 3)
        before, started = _counts(url), time.monotonic()
        with Load(url, rate) as load:
            time.sleep(seconds)
        took_s, after = time.monotonic() - started, _counts(url)
    items, batches = after[0] - before[0], after[1] - before[1]
    took_ms = sorted(each.took_s * 1000 for each in load.table.requests)
    found = Measured(
        ingresses,
        len(took_ms),
        load.table.count("right"),
        load.table.count("right") / took_s,
        items / batches,
        percentile(took_ms, 50),
        percentile(took_ms, 99),
    )
    print(found, flush=True)
    return found


def _counts(url: str) -> tuple[int, int]:
    """Items and batches of the model's replica."""
    counts = httpx.get(f"{url}/v1/models/speaker", timeout=30).json()["statistics"]
    return counts["items"], counts["batches"]


def results(found: Sequence[Measured], rate: float) -> Results:
    alone = found[0].rows
    aims = [
        Aim.at_least(
            f"rows a batch of {each.ingresses} ingresses, of those of one",
            each.rows / alone,
            1 - FALL,
        )
        for each in found[1:]
    ]
    columns: dict[str, Callable[[Measured], Cell]] = {
        "ingresses": lambda each: each.ingresses,
        "sent": lambda each: each.sent,
        "right": lambda each: each.right,
        "requests/s": lambda each: round(each.rate, 1),
        "rows a batch": lambda each: round(each.rows, 2),
        "p50, ms": lambda each: round(each.p50_ms),
        "p99, ms": lambda each: round(each.p99_ms),
    }
    title = f"One replica whose batch takes {BASE_MS:g} + {ITEM_MS:g} ms a row, {rate:g} requests/s"
    return Results(
        name="ingresses",
        title="Several ingresses on one model",
        findings=[f"{aim.what}: {aim.measured} ({aim.aim})" for aim in aims],
        tables=[Table.of(title, found, columns)],
    )
