"""Retries and deadlines, both colours alike, on a clock that only sleeping moves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import httpx
import pytest

from dragoman_client import AsyncRetryTransport, Retry, RetryTransport, Timeout
from dragoman_client.attempts import Clocks
from tests.support import fake_api
from tests.support.fake_api import Answer, FakeServer, refusal, serving

OK = httpx.Response(200, text="done")
BUSY = refusal(503, "queue_full")
REFUSED = httpx.ConnectError("refused")
UNIX_S = 1_000_000_000  # Sun, 09 Sep 2001 01:46:40 GMT


@dataclass
class SleepClock:
    """Time passes only while somebody sleeps."""

    now_s: float = 100.0
    sleeps: list[float] = field(default_factory=list)

    def clocks(self) -> Clocks:
        return Clocks(lambda: self.now_s, lambda: UNIX_S, lambda: 0.0)

    def sleep(self, duration_s: float) -> None:
        self.sleeps.append(duration_s)
        self.now_s += duration_s

    async def sleep_async(self, duration_s: float) -> None:
        self.sleep(duration_s)


Send: TypeAlias = Callable[..., Awaitable[httpx.Response]]


async def send_sync(
    server: FakeServer, clock: SleepClock, retry: Retry, within: Timeout
) -> httpx.Response:
    transport = RetryTransport(server.transport, retry, clocks=clock.clocks(), sleep=clock.sleep)
    files = {"file": ("a.wav", fake_api.WAV)}
    with httpx.Client(transport=transport, timeout=within.to_httpx()) as client:
        return client.post("http://server/", files=files)  # noqa: ASYNC212


async def send_async(
    server: FakeServer, clock: SleepClock, retry: Retry, within: Timeout
) -> httpx.Response:
    transport = AsyncRetryTransport(
        server.transport, retry, clocks=clock.clocks(), sleep=clock.sleep_async
    )
    files = {"file": ("a.wav", fake_api.WAV)}
    async with httpx.AsyncClient(transport=transport, timeout=within.to_httpx()) as client:
        return await client.post("http://server/", files=files)


@pytest.fixture(params=[pytest.param(send_sync, id="sync"), pytest.param(send_async, id="async")])
def send(request: pytest.FixtureRequest) -> Send:
    colour: Send = request.param
    return colour


@pytest.fixture
def clock() -> SleepClock:
    return SleepClock()


def busy(retry_after: str) -> httpx.Response:
    return refusal(503, "queue_full", headers={"retry-after": retry_after})


@pytest.mark.parametrize(
    ("answer", "sleeps"),
    [
        pytest.param(busy("3"), [3.0], id="seconds"),
        pytest.param(busy("Sun, 09 Sep 2001 01:46:52 GMT"), [12.0], id="date"),
        pytest.param(busy("Sun, 09 Sep 2001 01:00:00 GMT"), [0.0], id="past date"),
        pytest.param(busy("soon"), [0.5], id="unreadable: backoff"),
        pytest.param(BUSY, [0.5], id="none: backoff"),
        pytest.param(refusal(429, "rate_limited"), [0.5], id="429"),
        pytest.param(httpx.Response(502), [0.5], id="502"),
        pytest.param(REFUSED, [0.5], id="refused"),
        pytest.param(httpx.ConnectTimeout(""), [0.5], id="no answer to the connection"),
        pytest.param(httpx.ReadError(""), [0.5], id="broken while it answers"),
        pytest.param(httpx.RemoteProtocolError(""), [0.5], id="closed without an answer"),
    ],
)
async def test_what_passes_is_tried_again_after_the_servers_wait(
    send: Send, clock: SleepClock, answer: Answer, sleeps: list[float]
) -> None:
    response = await send(serving(answer, OK), clock, Retry(), Timeout())
    assert (response.text, clock.sleeps) == ("done", sleeps)


@pytest.mark.parametrize("status", [400, 404, 405, 413, 415, 422, 500, 504])
async def test_what_would_fail_again_is_not_tried_again(
    send: Send, clock: SleepClock, status: int
) -> None:
    server = serving(refusal(status, "x"), OK)
    response = await send(server, clock, Retry(), Timeout())
    assert (response.status_code, len(server.requests)) == (status, 1)


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(httpx.ReadTimeout(""), id="read"),
        pytest.param(httpx.WriteTimeout(""), id="write"),
        pytest.param(httpx.PoolTimeout(""), id="pool"),
        pytest.param(httpx.UnsupportedProtocol(""), id="protocol"),
    ],
)
async def test_timeouts_and_mistakes_are_not_tried_again(
    send: Send, clock: SleepClock, failure: Exception
) -> None:
    server = serving(failure, OK)
    with pytest.raises(type(failure)):
        await send(server, clock, Retry(), Timeout())
    assert len(server.requests) == 1


async def test_the_last_refusal_is_the_answer(send: Send, clock: SleepClock) -> None:
    server = serving(BUSY)
    response = await send(server, clock, Retry(attempts=3), Timeout())
    assert (response.status_code, len(server.requests)) == (503, 3)


async def test_the_last_failure_is_raised(send: Send, clock: SleepClock) -> None:
    server = serving(REFUSED)
    with pytest.raises(httpx.ConnectError):
        await send(server, clock, Retry(attempts=3), Timeout())
    assert len(server.requests) == 3


async def test_the_wait_doubles_up_to_its_maximum(send: Send, clock: SleepClock) -> None:
    retry = Retry(attempts=6, backoff_s=0.5, max_backoff_s=3)
    await send(serving(BUSY), clock, retry, Timeout())
    assert clock.sleeps == [0.5, 1.0, 2.0, 3.0, 3.0]


async def test_a_wait_past_the_deadline_is_not_begun(send: Send, clock: SleepClock) -> None:
    server = serving(busy("10"), OK)
    response = await send(server, clock, Retry(), Timeout(total_s=10))
    assert (response.status_code, clock.sleeps) == (503, [])


async def test_without_a_deadline_any_wait_is_kept_to(send: Send, clock: SleepClock) -> None:
    await send(serving(busy("1000"), OK), clock, Retry(), Timeout(total_s=None))
    assert clock.sleeps == [1000.0]


async def test_later_attempts_have_what_is_left_of_the_time(send: Send, clock: SleepClock) -> None:
    server = serving(busy("9"), OK)
    await send(server, clock, Retry(), Timeout(total_s=10, connect_s=5))
    assert [limits["read"] for limits in server.timeouts] == [10.0, 1.0]
    assert [limits["connect"] for limits in server.timeouts] == [5.0, 1.0]


async def test_the_server_is_told_what_is_left_less_the_margin(
    send: Send, clock: SleepClock
) -> None:
    server = serving(busy("9"), OK)
    await send(server, clock, Retry(), Timeout(total_s=10))
    assert [sent["x-timeout-ms"] for sent in server.headers] == ["9750", "900"]


async def test_a_second_attempt_sends_the_same_file(send: Send, clock: SleepClock) -> None:
    server = serving(REFUSED, OK)
    await send(server, clock, Retry(), Timeout())
    first, second = (request.content for request in server.requests)
    assert fake_api.WAV in first
    assert first == second


@pytest.mark.parametrize(
    ("jitter", "wait_s"),
    [pytest.param(0.0, 4.0, id="none off"), pytest.param(0.5, 3.0, id="a quarter off")],
)
def test_jitter_takes_up_to_a_half_off(jitter: float, wait_s: float) -> None:
    assert Retry(backoff_s=1).delay_s(3, jitter) == wait_s


def test_many_attempts_do_not_overflow() -> None:
    assert Retry(attempts=10_000).delay_s(9_999, 0.0) == 8.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda: Retry(attempts=0), "attempts", id="no attempt"),
        pytest.param(lambda: Retry(backoff_s=-1), "backoff_s", id="negative wait"),
        pytest.param(lambda: Retry(backoff_s=9), "max_backoff_s", id="over the maximum"),
        pytest.param(lambda: Timeout(total_s=0), "total_s", id="no time"),
        pytest.param(lambda: Timeout(connect_s=-1), "connect_s", id="no time to connect"),
    ],
)
def test_a_policy_that_makes_no_sense_names_its_field(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make()
