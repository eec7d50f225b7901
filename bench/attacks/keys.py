"""Keys: the time of a refusal, which must not tell how much of a key is right."""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import httpx

from bench.attacks.target import Row, attacked
from deployments.config.security import Key, Security
from deployments.security.keys import KnownKeys, new_key
from models.errors import Unauthorized

LOOKS, ASKS = 20_000, 2_000  # of each kind of key
MOST_APART = 0.05  # of the medians, that the machine's own noise makes
KEYS_THERE = 50


def measure() -> list[Row]:
    key, digest = new_key()
    rows = [looked_up(key, digest)]
    owner = {"name": "ann", "hash": digest, "scopes": ["infer"]}
    with (
        attacked(security={"keys": [owner]}) as server,
        httpx.Client(base_url=server.url, timeout=60) as http,
    ):
        rows.append(asked(http, key))
    return rows


def near_and_far(key: str) -> dict[str, str]:
    """Make wrong keys by how much of a right one they have."""
    return {"first": _other(key[0]) + key[1:], "last": key[:-1] + _other(key[-1])}


def _other(char: str) -> str:
    return "A" if char != "A" else "B"


def looked_up(key: str, digest: str) -> Row:
    """Time the look-up alone, among other keys: no network hides what it tells."""
    others = [
        Key(name=f"key{number}", hash=secrets.token_hex(32), scopes=("infer",))
        for number in range(KEYS_THERE - 1)
    ]
    ring = KnownKeys(Security(keys=(Key(name="ann", hash=digest, scopes=("infer",)), *others)))

    def look(sent: str) -> None:
        with suppress(Unauthorized):
            ring.owner(sent.encode())

    what = f"the look-up among {KEYS_THERE} keys, {LOOKS:,} of each in turns"
    return _compared(what, key, look, LOOKS)


def asked(http: httpx.Client, key: str) -> Row:
    """Time the same over HTTP, on one connection."""

    def ask(sent: str) -> None:
        http.get("/v2", headers={"authorization": f"Bearer {sent}"})

    return _compared(f"GET /v2 over HTTP, {ASKS:,} of each in turns", key, ask, ASKS)


def in_turns(calls: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Return the median time of each call, in microseconds."""
    taken_us: dict[str, list[float]] = {kind: [] for kind in calls}
    for _ in range(rounds):
        for kind, call in calls.items():
            started_s = time.perf_counter()
            call()
            taken_us[kind].append((time.perf_counter() - started_s) * 1e6)
    return {kind: statistics.median(values) for kind, values in taken_us.items()}


def _compared(tried: str, key: str, call: Callable[[str], None], rounds: int) -> Row:
    kinds = {**near_and_far(key), "right": key}
    medians = in_turns({kind: partial(call, sent) for kind, sent in kinds.items()}, rounds)
    apart = abs(medians["first"] - medians["last"]) / medians["first"]
    return Row(
        "a key's time",
        f"{tried}: a wrong key whose first letter differs, one whose last does, a right one",
        f"{medians['first']:.2f}, {medians['last']:.2f} and {medians['right']:.2f} us (medians)",
        f"the two wrong ones within {MOST_APART:.0%} of each other",
        apart <= MOST_APART,
    )
