"""Which items make a batch: by rows, cost, padding and length."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from deployments.batching.batch import BatchReply
from deployments.batching.selection import most_rows, padded
from deployments.config.policy import BatchPolicy
from tests.unit.batching.bench import Piece, bench, finish_all


class Told:
    """Answers at once, and says of each batch what the replica's memory holds."""

    def __init__(self, bounds: list[float | None]) -> None:
        self._bounds = iter(bounds)

    async def __call__(self, batch: Sequence[Piece]) -> BatchReply[str]:
        names = [piece.name for piece in batch]
        return BatchReply(names, 0.0, memory_bound=next(self._bounds))


async def test_rows_bound_a_batch() -> None:
    b = bench(max_batch_size=3)
    await b.arrive("a", "b", "c", "d", "e")
    assert b.model.batches == ["a b c"]
    await finish_all(b)


async def test_cost_bounds_a_batch_by_its_padded_length() -> None:
    b = bench(max_batch_cost=30.0)
    await b.arrive(Piece("a", 10), Piece("b", 12), Piece("c", 1), Piece("d", 1))
    assert b.model.batches[0] == "a b"  # a third row would cost 3 x 12
    await finish_all(b)


async def test_an_item_above_the_cost_bound_goes_alone() -> None:
    b = bench(max_batch_cost=30.0)
    await b.arrive(Piece("a", 50), Piece("b", 1))
    assert b.model.batches[0] == "a"
    await finish_all(b)


async def test_near_lengths_are_drawn_first() -> None:
    b = bench(max_batch_size=2)
    await b.arrive(Piece("a", 10), Piece("b", 1), Piece("c", 9), Piece("d", 2))
    await b.model.finish(0)
    assert b.model.batches == ["a c", "b d"]
    await finish_all(b)


async def test_items_of_other_keys_go_in_batches_of_their_own() -> None:
    b = bench()
    keys = {"a": "wide", "b": "long", "c": "wide", "d": "long"}
    await b.arrive(*(Piece(name, key=key) for name, key in keys.items()))
    await b.model.finish(0)
    assert b.model.batches == ["a c", "b d"]
    await finish_all(b)


async def test_where_order_is_preserved_another_key_ends_the_batch() -> None:
    b = bench(preserve_ordering=True)
    await b.arrive(Piece("a", key="x"), Piece("b", key="y"), Piece("c", key="x"))
    assert b.model.batches[0] == "a"
    await finish_all(b)


async def test_padding_is_bounded() -> None:
    b = bench(max_padding=0.25)
    await b.arrive(Piece("a", 10), Piece("b", 1), Piece("c", 8))
    assert b.model.batches[0] == "a c"
    await finish_all(b)


async def test_a_rare_length_is_the_head_when_it_is_the_oldest() -> None:
    b = bench(max_batch_size=2, max_queue_delay_ms=1000, max_padding=0.1)
    await b.arrive("running", "running2")
    await b.arrive(Piece("rare", 100))
    await b.arrive("x", "y")  # a full batch, but not before its elder
    await b.model.finish(0)
    assert b.model.batches[1] == "rare"
    await finish_all(b)


async def test_lengths_in_one_bucket_cost_the_same() -> None:
    b = bench(max_batch_size=3, buckets=[5.0, 30.0])
    await b.arrive(Piece("a", 4.9), Piece("b", 6), Piece("c", 1), Piece("d", 5.0))
    assert b.model.batches[0] == "a c d"
    await finish_all(b)


async def test_without_padding_only_equal_lengths_share_a_batch() -> None:
    b = bench(max_padding=0, buckets=[0.1, 0.7])
    await b.arrive(Piece("a", 0.1), Piece("b", 0.6), Piece("c", 0.05), Piece("d", 0.1))
    assert b.model.batches[0] == "a c d"
    await finish_all(b)


async def test_no_batch_is_larger_than_what_a_replica_said_it_holds() -> None:
    b = bench(dispatch=Told([2.0, 2.0, None, None]))
    await b.arrive(*"abcd")
    await asyncio.gather(*b.callers.values())
    await b.arrive(*"efgh")
    await asyncio.gather(*b.callers.values())
    await b.arrive(*"ijkl")
    await asyncio.gather(*b.callers.values())
    assert [outcome.result().batch_size for outcome in b.callers.values()] == [
        *([4] * 4),
        *([2] * 4),
        *([4] * 4),
    ]


async def test_a_policy_that_changes_stays_within_what_a_replica_holds() -> None:
    b = bench(dispatch=Told([2.0] * 9))
    await b.arrive("a")
    await b.callers["a"]
    b.batcher.reconfigure(BatchPolicy(max_batch_size=8, max_batch_cost=50.0))
    await b.arrive(*"bcdefg")
    await asyncio.gather(*b.callers.values())
    assert (await b.callers["b"]).batch_size == 2


async def test_a_batch_takes_no_nearer_length_before_what_came_first() -> None:
    b = bench(max_batch_size=2, preserve_ordering=True)
    await b.arrive(Piece("a", 10), Piece("b", 1), Piece("c", 9), Piece("d", 2))
    await b.model.finish(0)
    assert b.model.batches == ["a b", "c d"]
    await finish_all(b)


async def test_equal_lengths_share_a_batch_though_their_sum_is_rounded() -> None:
    b = bench(max_batch_size=10, max_padding=0)
    await b.arrive(*(Piece(name, 0.1) for name in "abcdefghij"))  # their sum is less than 1.0
    assert b.model.batches == ["a b c d e f g h i j"]
    await finish_all(b)


async def test_where_order_is_preserved_nobody_passes_an_item_that_does_not_fit() -> None:
    b = bench(max_padding=0.25, preserve_ordering=True)
    await b.arrive(Piece("a", 10), Piece("b", 1), Piece("c", 10))
    await b.model.finish(0)
    assert b.model.batches[:2] == ["a", "b"]
    await finish_all(b)


@pytest.mark.parametrize(
    ("cost", "most_cost", "rows"),
    [
        pytest.param(1.0, None, 4, id="no bound but rows"),
        pytest.param(1.0, 100.0, 4, id="a bound above them"),
        pytest.param(2.0, 7.0, 3, id="a bound below them"),
        pytest.param(9.0, 7.0, 1, id="one item above the bound"),
        pytest.param(0.0, 7.0, 4, id="items of no length"),
    ],
)
def test_the_most_rows_of_one_cost(cost: float, most_cost: float | None, rows: int) -> None:
    assert most_rows(cost, BatchPolicy(max_batch_size=4, max_batch_cost=most_cost)) == rows


@pytest.mark.parametrize(
    ("length", "cost"),
    [(0.0, 5.0), (5.0, 5.0), (5.1, 30.0), (30.0, 30.0), (31.0, 31.0)],
    ids=["nothing", "the first bucket", "just above it", "the last bucket", "above all"],
)
def test_a_length_is_padded_up_to_its_bucket(length: float, cost: float) -> None:
    assert padded(length, [5.0, 30.0]) == cost


async def test_what_a_replica_said_last_bounds_a_batch() -> None:
    bounds = iter([2.0, 3.0])

    async def dispatch(batch: Sequence[Piece]) -> BatchReply[str]:
        if len(batch) == 2:
            raise ValueError("tried item by item after that")
        return BatchReply([p.name for p in batch], 0.0, memory_bound=next(bounds, 3.0))

    b = bench(dispatch)
    await b.arrive("a", "b")
    await asyncio.gather(*b.callers.values())
    await b.arrive(*"cdefgh")
    await asyncio.gather(*b.callers.values())
    assert {(await b.callers[name]).batch_size for name in "cdefgh"} == {3}
