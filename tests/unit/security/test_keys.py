"""Keys: what each may ask a minute, at once and a day, and what nobody is told of them."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.config.security import Key, Quotas, Security
from deployments.security.key_limits import DAY_S, Caller
from deployments.security.keys import KnownKeys, new_key
from deployments.telemetry import usage
from deployments.telemetry.usage import AccessFigures, Usage
from models.errors import QuotaUsed, RateLimited, TooManyRunning, Unauthorized

SECRET, HASH = new_key()
NOON = 12 * 3600


class Clock:
    """Both of a known_keys's clocks, moved by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0 * DAY_S + NOON

    def __call__(self) -> float:
        return self.now_s


def known_keys(clock: Clock, **limits: Any) -> KnownKeys:
    key = Key(name="ann", hash=HASH, scopes=("infer",), **limits)
    return KnownKeys(Security(keys=(key,)), clock, clock)


def ann(keys: KnownKeys) -> Caller:
    return keys.caller(f"Bearer {SECRET}".encode())


def test_a_key_may_send_so_many_requests_in_any_minute() -> None:
    clock = Clock()
    caller = ann(known_keys(clock, requests_per_minute_per_ingress=2))
    caller.visit()
    clock.now_s += 50
    caller.visit()
    with pytest.raises(RateLimited) as refused:
        caller.visit()
    clock.now_s += refused.value.retry_after_s or 0
    caller.visit()
    with pytest.raises(RateLimited) as again:
        caller.visit()
    assert (refused.value.retry_after_s, again.value.retry_after_s) == (10, 50)


def test_a_key_may_have_so_many_requests_at_once() -> None:
    caller = ann(known_keys(Clock(), max_concurrent_per_ingress=1))
    with caller.visit(), pytest.raises(TooManyRunning):
        caller.visit()
    caller.visit()


def test_a_request_that_is_refused_is_not_one_of_the_minute_s() -> None:
    caller = ann(
        known_keys(Clock(), max_concurrent_per_ingress=1, requests_per_minute_per_ingress=2)
    )
    with caller.visit(), pytest.raises(TooManyRunning):
        caller.visit()
    caller.visit()


QUOTAS = {
    "audio": (Quotas(audio_s_per_day_per_ingress=60.0), lambda: usage.heard(60.0)),
    "characters": (Quotas(characters_per_day_per_ingress=10), lambda: usage.read(11)),
}


@pytest.mark.parametrize(("quotas", "use"), QUOTAS.values(), ids=QUOTAS)
def test_a_day_s_quota_is_there_again_on_the_next_day(quotas: Quotas, use: Any) -> None:
    clock = Clock()
    caller = ann(known_keys(clock, quotas=quotas))
    with caller.visit():
        use()
    with pytest.raises(QuotaUsed) as refused:
        caller.visit()
    clock.now_s += refused.value.retry_after_s or 0
    with caller.visit():
        pass
    assert refused.value.retry_after_s == DAY_S - NOON


def test_what_is_used_counts_for_the_request_s_key_alone() -> None:
    keys = known_keys(Clock())
    usage.heard(1.0)
    with ann(keys).visit():
        usage.heard(2.5)
        usage.read(7)
    usage.read(1)
    assert keys.figures.usage == {"ann": Usage(requests=1, audio_s=2.5, characters=7)}


def test_figures_of_several_ingresses_add_up() -> None:
    one = AccessFigures({"ann": Usage(1, 2.0, 3)}, {("", "no_api_key"): 1})
    two = AccessFigures({"ann": Usage(1, 1.5, 0), "bob": Usage(2)}, {("", "no_api_key"): 2})
    assert usage.total([one, two]) == AccessFigures(
        {"ann": Usage(2, 3.5, 3), "bob": Usage(2)}, {("", "no_api_key"): 3}
    )
    assert one.usage["ann"] == Usage(1, 2.0, 3)


def test_nobody_is_told_a_key() -> None:
    keys = known_keys(Clock())
    with pytest.raises(Unauthorized) as refused:
        keys.caller(f"Bearer {SECRET}x".encode())
    told = repr(keys) + repr(ann(keys)) + repr(refused.value) + repr(Key.model_fields)
    assert SECRET not in told


def test_new_keys_differ_and_have_256_bits() -> None:
    keys = {new_key() for _ in range(64)}
    assert len(keys) == 64
    assert all(len(key) == 43 for key, _ in keys)
