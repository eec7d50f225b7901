"""Counts in Triton's terms, their sums over processes, and what the batcher puts into them."""

from __future__ import annotations

import pickle
from asyncio import create_task
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress

import pytest

from deployments.batching.response_cache import ResponseCache
from deployments.batching.statistics import NS, Figures, ModelStatistics, Stages, total
from deployments.telemetry.cluster_figures import ClusterFigures, IngressFigures
from models.errors import InternalError, InvalidRequest
from models.runtime import ItemError
from tests.support.clock import settle
from tests.unit.batching.bench import Bench, Piece, bench, finish_all

# ---- sums ------------------------------------------------------------------------------


def busy(rows: int, at_ms: int) -> Figures:
    done = ModelStatistics()
    done.executed(rows, rows, Stages(0.0, 0.1, 0.2, 0.3), cost=rows, useful=rows / 2)
    done.succeeded(1.5, Stages(0.5, 0.1, 0.2, 0.3))
    done.failed(0.1, "REJECTED")
    done.last_inference_ms = at_ms
    return Figures(done, waiting=1, pending=1, in_flight=1)


def test_sums_are_exact_and_take_the_latest_inference() -> None:
    sum_ = total([busy(2, 7), busy(2, 9), busy(5, 8)])
    done = sum_.statistics
    assert (done.inference_count, done.execution_count, done.last_inference_ms) == (9, 3, 9)
    assert (done.success.count, done.success.ns) == (3, round(4.5 * NS))
    assert {size: e.compute_infer.count for size, e in done.executions.items()} == {2: 2, 5: 1}
    assert (done.failures, done.fail.count) == ({"REJECTED": 3}, 3)
    assert (done.cost, done.padding_cost) == (9.0, 4.5)
    assert sum(done.durations.counts) == 3
    assert (sum_.waiting, sum_.in_flight) == (3, 3)


def test_a_sum_leaves_its_parts_as_they_are() -> None:
    part = busy(2, 7)
    before = pickle.dumps(part)
    total([part, part])
    assert pickle.dumps(part) == before


# ---- over processes --------------------------------------------------------------------


class Peers:
    """Two ingresses of which the other can be asked, be silent, or be gone."""

    def __init__(self) -> None:
        self.answers: list[list[IngressFigures]] | Exception = []

    def __call__(self) -> Awaitable[Sequence[Sequence[IngressFigures]]]:
        async def answer() -> Sequence[Sequence[IngressFigures]]:
            if isinstance(self.answers, Exception):
                raise self.answers
            return self.answers

        return answer()


@pytest.fixture
def peers() -> Peers:
    return Peers()


@pytest.fixture
def cluster_figures(peers: Peers) -> ClusterFigures:
    own: Mapping[str, Figures] = {"asr": busy(1, 1)}
    return ClusterFigures("mine", lambda: own, peers)


def rows(figures: Mapping[str, Figures]) -> tuple[int, int]:
    return figures["asr"].statistics.inference_count, figures["asr"].waiting


async def test_the_figures_of_all_ingresses_are_summed(
    cluster_figures: ClusterFigures, peers: Peers
) -> None:
    peers.answers = [cluster_figures.known(), [IngressFigures("other", 1.0, {"asr": busy(4, 1)})]]
    assert rows(await cluster_figures.figures()) == (5, 2)


async def test_the_counts_of_a_dead_ingress_remain_and_its_queue_does_not(
    cluster_figures: ClusterFigures, peers: Peers
) -> None:
    peers.answers = [[IngressFigures("other", 1.0, {"asr": busy(4, 1)})]]
    await cluster_figures.figures()
    peers.answers = [cluster_figures.known()]
    assert rows(await cluster_figures.figures()) == (5, 1)


async def test_the_later_page_of_an_ingress_counts(
    cluster_figures: ClusterFigures, peers: Peers
) -> None:
    later = IngressFigures("other", 2.0, {"asr": busy(6, 1)})
    peers.answers = [
        [later],
        [IngressFigures("third", 1.0, {}), IngressFigures("other", 1.0, {"asr": busy(4, 1)})],
    ]
    assert rows(await cluster_figures.figures()) == (7, 2)


async def test_an_ingress_that_does_not_answer_is_remembered(
    cluster_figures: ClusterFigures, peers: Peers
) -> None:
    peers.answers = [[IngressFigures("other", 1.0, {"asr": busy(4, 1)})]]
    await cluster_figures.figures()
    peers.answers = OSError("gone")
    assert rows(await cluster_figures.figures())[0] == 5


# ---- from the batcher ------------------------------------------------------------------


def counts(b: Bench) -> tuple[int, ...]:
    done = b.batcher.statistics
    parts = (done.success, done.fail, done.queue, done.compute_infer)
    return (done.inference_count, done.execution_count, *(part.count for part in parts))


async def test_a_request_of_three_rows_is_one_request() -> None:
    b = bench()
    with b.batcher.request() as request:
        await b.arrive("other")
        b.callers |= {name: create_task(request.submit(Piece(name))) for name in "abc"}
        await finish_all(b)
    assert counts(b) == (4, 2, 2, 0, 2, 2)


async def test_times_of_a_request_are_its_stages() -> None:
    b = bench()
    b.model.execution_s = 0.25
    await b.arrive("before")
    await b.arrive("a")
    await b.clock.advance(0.01)
    await b.model.finish(0, 1)
    await finish_all(b)
    done = b.batcher.statistics
    assert (done.queue.ns, done.compute_infer.ns) == (round(0.01 * NS), round(0.5 * NS))


async def test_padding_is_what_no_item_asked_for() -> None:
    b = bench(buckets=[5.0, 10.0])
    await b.arrive(Piece("a", 4.0), Piece("b", 9.0))
    await finish_all(b)
    done = b.batcher.statistics
    assert (done.cost, done.padding_cost) == (20.0, 7.0)


async def test_a_row_with_an_error_is_no_inference() -> None:
    b = bench()
    bad = ItemError(InvalidRequest("no"))
    b.model.answer = lambda batch: [bad if p.name == "bad" else p.name for p in batch]
    await b.arrive("good", "bad")
    await finish_all(b)
    assert counts(b) == (1, 1, 1, 1, 1, 1)
    assert b.batcher.statistics.failures == {"OTHER": 1}


async def test_a_refusal_and_a_timeout_are_rejections_and_a_caller_that_leaves_a_cancellation() -> (
    None
):
    b = bench(max_queue_size=2, max_queue_delay_ms=60_000)
    await b.arrive("running")
    await b.arrive("late", queue_timeout_s=1.0)
    await b.arrive("leaves")
    await b.arrive("refused")
    b.callers["leaves"].cancel()
    await b.clock.advance(1.0)
    await finish_all(b)
    assert b.batcher.statistics.failures == {"REJECTED": 2, "CANCELED": 1}


async def test_a_deadline_that_passed_running_is_a_cancellation() -> None:
    b = bench()
    await b.arrive("late", deadline=1.0)
    await b.clock.advance(1.0)
    await finish_all(b)
    assert b.batcher.statistics.failures == {"CANCELED": 1}


async def test_what_fails_elsewhere_is_no_failure_of_the_model() -> None:
    b = bench()
    with suppress(OSError), b.batcher.request() as request:
        b.callers["a"] = create_task(request.submit(Piece("a")))
        await finish_all(b)
        raise OSError("another model's")
    assert (counts(b)[2], b.batcher.statistics.failures) == (1, {})


async def test_a_request_that_is_cut_off_is_a_cancellation() -> None:
    b = bench()
    with suppress(OSError), b.batcher.request() as request:
        b.callers["a"] = create_task(request.submit(Piece("a")))
        await settle()
        b.callers["a"].cancel()
        await settle()
        raise OSError("another model's")
    assert b.batcher.statistics.failures == {"CANCELED": 1}


def cached() -> Bench:
    return bench(response_cache=True, cache=ResponseCache(1 << 20))


async def test_a_request_of_which_not_all_is_in_the_cache_is_a_miss() -> None:
    b = cached()
    await b.arrive("a")
    await finish_all(b)
    with b.batcher.request() as request:
        b.callers |= {name: create_task(request.submit(Piece(name))) for name in "ab"}
        await finish_all(b)
    done = b.batcher.statistics
    assert (done.cache_hit.count, done.cache_miss.count, done.inference_count) == (0, 2, 2)


async def test_another_generation_of_the_model_is_asked_again() -> None:
    b = cached()
    await b.arrive("a")
    await finish_all(b)
    b.batcher.retarget(replicas=1, length_buckets=())
    await b.arrive("a")
    await finish_all(b)
    assert b.model.batches == ["a", "a"]


async def test_an_idle_batcher_says_since_when() -> None:
    b = bench()
    await b.clock.advance(1.0)
    await b.arrive("a")
    while_busy = b.batcher.idle_since
    await b.clock.advance(2.0)
    await finish_all(b)
    assert while_busy is None
    assert b.batcher.idle_since == pytest.approx(3.0)


async def test_items_whose_time_passed_are_counted_where_they_were() -> None:
    b = bench(max_batch_size=1)
    await b.arrive("running", "ready", deadline=2.0)
    await b.arrive("late", "later", "latest", deadline=1.0)
    await b.clock.advance(2.0)
    await finish_all(b)
    done = b.batcher.statistics
    assert (done.expired_in_queue, done.expired_running, done.abandoned) == (3, 2, 0)


async def test_items_whose_callers_left_while_they_waited_are_counted() -> None:
    b = bench(max_queue_delay_ms=60_000)
    await b.arrive("running")
    await b.arrive("waiting", "stays")
    for name in ("running", "waiting"):
        b.callers[name].cancel()
    await finish_all(b)
    assert b.batcher.statistics.abandoned == 1


async def test_a_batcher_is_idle_only_once_what_nobody_waits_for_has_ended() -> None:
    b = bench()
    await b.arrive("a")
    b.callers["a"].cancel()
    await settle()
    assert b.batcher.idle_since is None
    await b.model.finish(0)
    await b.batcher.until_idle()


async def test_a_request_fails_for_its_first_error_and_each_is_marked_as_counted() -> None:
    b = bench(max_batch_size=1)
    errors = {"a": InvalidRequest("no"), "b": InternalError("broken")}
    b.model.answer = lambda batch: [ItemError(errors[batch[0].name])]
    with b.batcher.request() as request:
        b.callers |= {name: create_task(request.submit(Piece(name))) for name in "ab"}
        await finish_all(b)
    assert b.batcher.statistics.failures == {"OTHER": 1}
    assert [error.is_counted for error in errors.values()] == [True, True]
